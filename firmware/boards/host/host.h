/* What main() needs of this board beyond har_board.h. Not for the app. */
#ifndef HAR_HOST_H
#define HAR_HOST_H

/* `listen_fd`: a TCP socket that already listens; hosts are served one after another.
 * `flash_path`: an existing file, as long as the app's region for learned heads.
 * Ends the process with a line on stderr when one of them cannot be used. */
void har_host_open(int listen_fd, const char *flash_path);

/* Before har_board_init(): plays the recording `path` (played.h) as the board's motion sensor. Ends
 * the process with a line on stderr when it cannot be read. */
void har_host_play(const char *path);

/* Waits for the serial line, unless bytes moved since the last call. Ends the process when its
 * parent is gone. */
void har_host_idle(void);

/* Ends the process with a line on stderr. */
void har_host_die(const char *what, const char *where) __attribute__((noreturn));

/* board.c and flash.c */
void har_host_flash_open(const char *path);

#endif
