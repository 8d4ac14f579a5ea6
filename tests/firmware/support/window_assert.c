#include <stdlib.h>

#include "lib/base/har_assert.h"

void har_assert_failed(const char *file, int line) {
    (void)file;
    (void)line;
    abort();
}
