/* Board: a POSIX process. Its serial line is a TCP socket, its flash a file. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "boards/played/played.h"
#include "hal/har_board.h"
#include "host.h"
#include "lib/base/har_assert.h"

#define WAKE_MS 20 /* the app gets a turn at least this often */

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0 /* macOS; main() ignores SIGPIPE everywhere */
#endif

static int listening = -1;
static int connection = -1;
static pid_t parent;
static bool bytes_moved;
static bool write_blocked;
static uint64_t started_ns;
static uint64_t count_start_ns;
static const void *recording;
static uint32_t recording_bytes;

static uint64_t now_ns(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void har_assert_failed(const char *file, int line) {
    fprintf(stderr, "har: assert failed at %s:%d\n", file, line);
    abort();
}

/* ---- serial ------------------------------------------------------------------------------- */

static void set_nonblocking(int fd) {
    const int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) har_host_die("cannot use", "fd");
}

static bool would_block(void) {
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

static void accept_next(void) {
    const int on = 1;
    connection = accept(listening, NULL, NULL);
    if (connection < 0) return;
    set_nonblocking(connection);
    (void)setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

static void hang_up(void) {
    (void)close(connection);
    connection = -1;
    write_blocked = false;
}

size_t har_board_read(uint8_t *data, size_t capacity) {
    if (connection < 0) accept_next();
    if (connection < 0 || capacity == 0u) return 0;
    const ssize_t size = recv(connection, data, capacity, 0);
    if (size > 0) {
        bytes_moved = true;
        return (size_t)size;
    }
    if (size == 0 || !would_block()) hang_up();
    return 0;
}

size_t har_board_write(const uint8_t *data, size_t size) {
    if (connection < 0 || size == 0u) return size; /* a wire with nobody at its end */
    const ssize_t sent = send(connection, data, size, MSG_NOSIGNAL);
    if (sent < 0 && !would_block()) {
        hang_up();
        return size;
    }
    const size_t done = sent < 0 ? 0u : (size_t)sent;
    write_blocked = done < size;
    bytes_moved |= done != 0u;
    return done;
}

void har_host_idle(void) {
    if (!bytes_moved && listening >= 0) {
        struct pollfd wire = {.fd = connection >= 0 ? connection : listening, .events = POLLIN};
        if (write_blocked) wire.events = POLLIN | POLLOUT;
        (void)poll(&wire, 1, WAKE_MS);
    }
    bytes_moved = false;
    if (getppid() != parent) exit(0);
}

void har_host_open(int listen_fd, const char *flash_path) {
    parent = getppid();
    listening = listen_fd;
    set_nonblocking(listening);
    har_host_flash_open(flash_path);
}

void har_host_play(const char *path) {
    struct stat about;
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0 || fstat(file, &about) != 0) har_host_die("cannot open", path);
    recording_bytes = about.st_size < (off_t)INT32_MAX ? (uint32_t)about.st_size : 0u;
    recording = mmap(NULL, recording_bytes, PROT_READ, MAP_PRIVATE, file, 0);
    if (recording == MAP_FAILED) har_host_die("cannot map", path);
    (void)close(file);
}

/* ---- the rest of the seam ----------------------------------------------------------------- */

void har_board_init(void) {
    started_ns = now_ns();
    har_played_init(recording, recording_bytes);
}

uint8_t har_board_target(void) {
    return HAR_TARGET_HOST;
}

uint8_t har_board_counter(void) {
    return HAR_COUNT_NANOSECONDS;
}

uint32_t har_board_millis(void) {
    return (uint32_t)((now_ns() - started_ns) / 1000000u);
}

void har_board_count_begin(void) {
    count_start_ns = now_ns();
}

uint32_t har_board_count_end(void) {
    return (uint32_t)(now_ns() - count_start_ns);
}

uint32_t har_board_stack_used(void) {
    return 0;
}

uint32_t har_board_stack_size(void) {
    return 0;
}

void har_board_show(uint8_t state) {
    (void)state;
}
