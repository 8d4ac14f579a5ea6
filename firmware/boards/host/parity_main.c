#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hal/har_board.h"
#include "host.h"
#include "tools/parity.h"

void har_parity_forget_stack(void) {} /* the host does not know its stack's use */

int main(int argc, char **argv) {
    struct stat about;
    if (argc != 2) {
        fputs("usage: har_parity FILE\n", stderr);
        return 2;
    }
    const int file = open(argv[1], O_RDWR);
    if (file < 0 || fstat(file, &about) != 0) har_host_die("cannot open", argv[1]);
    if (about.st_size <= (off_t)HAR_PARITY_OFFSET || about.st_size > (off_t)INT32_MAX) return 2;

    const size_t size = (size_t)about.st_size;
    uint8_t *memory = (uint8_t *)mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (memory == MAP_FAILED) har_host_die("cannot map", argv[1]);
    har_board_init();
    const int code =
        har_parity_run(memory + HAR_PARITY_OFFSET, (uint32_t)(size - HAR_PARITY_OFFSET));
    (void)munmap(memory, size);
    (void)close(file);
    return code;
}
