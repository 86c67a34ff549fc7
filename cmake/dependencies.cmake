find_package(PkgConfig REQUIRED)
pkg_check_modules(CAPSTONE REQUIRED IMPORTED_TARGET capstone)
pkg_check_modules(SQLITE3 REQUIRED IMPORTED_TARGET sqlite3)
pkg_check_modules(CMOCKA IMPORTED_TARGET cmocka)

# libunicorn 2.1.1, static. ./x fetches the package into .deps where the system has none of that version.
find_path(UNICORN_INCLUDE_DIR unicorn/unicorn.h
          HINTS ${PROJECT_SOURCE_DIR}/.deps/unicorn/usr/include NO_CMAKE_FIND_ROOT_PATH)
find_library(UNICORN_ARCHIVE NAMES libunicorn.a
             HINTS ${PROJECT_SOURCE_DIR}/.deps/unicorn/usr/lib/x86_64-linux-gnu)
if(NOT UNICORN_INCLUDE_DIR OR NOT UNICORN_ARCHIVE)
  message(FATAL_ERROR "libunicorn 2.1.1 with its static library was not found; run ./x setup")
endif()
add_library(unicorn_static STATIC IMPORTED)
set_target_properties(unicorn_static PROPERTIES IMPORTED_LOCATION ${UNICORN_ARCHIVE}
                      INTERFACE_INCLUDE_DIRECTORIES ${UNICORN_INCLUDE_DIR})
find_package(Threads REQUIRED)
set_property(TARGET unicorn_static PROPERTY INTERFACE_LINK_LIBRARIES "Threads::Threads;m")
