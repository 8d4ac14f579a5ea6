#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"

void har_host_die(const char *what, const char *where) {
    fprintf(stderr, "har: %s %s: %s\n", what, where, strerror(errno));
    exit(3);
}
