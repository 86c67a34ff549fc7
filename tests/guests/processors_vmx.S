#include "processors.S"
