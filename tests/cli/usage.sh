#!/usr/bin/env bash
# Wrong and right ways to call vtsim: statuses and messages. Usage: usage.sh PATH-OF-VTSIM
. "$(dirname "$(readlink -f "$0")")/common.sh.inc"

expect 2 "usage: vtsim COMMAND"
expect 0 "usage: vtsim COMMAND" --help
expect 0 "vtsim 0." --version
expect 2 "unknown command 'rnu'; did you mean 'run'" rnu
for command in run report compare runs list explain; do
    expect 0 "usage: vtsim $command" "$command" --help
done

# options
expect 2 "no image was given" run
expect 2 "unknown option '--memm'; did you mean 'mem'?" run --memm 1 image
expect 2 "unknown option '--me'" run --me 64M image
expect 2 "a value is missing after the option '--mem'" run --mem
expect 2 "no value goes with the option '--quiet=1'" run --quiet=1 image
expect 2 "two images" run one two
expect 2 "two images" run -kernel one -- two

# values
for size in 0 1023K 65G 99999999999999999999 17179869184G; do
    expect 2 "" run --mem "$size" image
done
for size in "" -1 " 1" 1T 1MM M 0x 1.5G; do
    expect 2 "is no size of memory" run --mem "$size" image
done
expect 2 "multiple of 4K" run --mem 1025K image
expect 2 "did you mean 'skylake'?" run --cpu skylak image
expect 2 "unknown processor profile 'host'" run --cpu host image
expect 2 "it is none or pc" run --firmware bios image
expect 2 "'-avx' is no feature of a processor that can be switched, as -FEATURE; 'vtsim list features' shows them" run --cpu skylake,-avx image
expect 2 "the VMX control cr3-load-exiting must be 1 on penryn" run --cpu penryn,-cr3-load-exiting image
expect 2 "'la57' is no feature" run --cpu skylake,la57 image
expect 2 "nehalem has no la57 to offer" run --cpu nehalem,+la57 image
expect 2 "unknown processor profile 'host'" run --cpu host,-la57 image
expect 4 "" run --cpu skylake,-la57,+pcid no-such-image
expect 2 "stdio, file:PATH or null" run --serial tcp:1 image
expect 2 "stdio, file:PATH or null" run --serial file: image
expect 2 "from 1 on" run --max-cycles 0 image
expect 2 "from 1 on" run --max-instructions 1e9 image
expect 2 "neither a number nor 'last'" run --stats a.db --label 12 image
expect 2 "neither a number nor 'last'" run --stats a.db --label last image
expect 2 "give --stats" run --label x image
expect 2 "neither iobase=PORT nor iosize=SIZE" run -device isa-debug-exit,port=1 image
expect 2 "a size of 1, 2 or 4" run -device isa-debug-exit,iosize=3 image
expect 2 "a file name is missing" run --module ,x image

# not there yet
expect 8 "at most" run --smp 17 image
expect 2 "no number of processors: one from 1 to 16 is wanted" run --smp 0 image
expect 2 "a number from 1 on is wanted, below 2^64" run --max-cycles 18446744073709551616 image
expect 8 "debugger" run --gdb 1234 image
expect 8 "debugger" run -s image
expect 8 "debugger" run -S image
expect 8 "event files" run --trace t image
expect 8 "the device 'e1000' is not modelled" run -device e1000,netdev=n image
expect 8 "there is no display" run -display gtk image
expect 2 "text, json, csv or html is wanted" report --format pdf
output=$("$vtsim" run --help)
for option in --gdb --trace; do
    check "run --help does not promise $option" test "${output#*"$option "}" = "$output"
done

# images that cannot be loaded
expect 4 "" run no-such-image
expect 4 "" run -m 64 -kernel no-such-image -append "a b" -nographic -display none -no-reboot -machine q35 -smp 1
echo "this is no image" >text
expect 4 "" run text
: >empty
expect 4 "" run empty
expect 4 "" run "$work"

# standard output that is full
"$vtsim" list fields >/dev/full 2>error
check "a full standard output is status 10" test $? = 10
check "and is reported" grep -q "could not be written" error
finish
