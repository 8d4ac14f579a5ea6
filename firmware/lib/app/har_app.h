/* The app: a state machine with no hardware in it. Samples in, window, engine, head, prediction
 * out; label in, update out. Talks text until a HELLO frame comes, frames from then on
 * (docs/PROTOCOL.md). All its memory is one struct har_app, so that a process may hold several. */
#ifndef HAR_APP_H
#define HAR_APP_H

#ifdef __cplusplus
extern "C" {
#endif

struct har_app;

/* The app of a program that needs one: static, not yet initialized. */
struct har_app *har_app_static(void);

/* Loads the newest learned head of this model, or the factory head. Call after har_board_init(). */
void har_app_init(struct har_app *app);

/* One turn: takes what the serial line and the IMU have, answers, returns. Takes no longer than one
 * inference, or one request. The longest requests are those that store: SAVE, HEAD_RESET,
 * HEAD_ROLLBACK and HEAD_COMMIT erase every page of one slot and write one record, about 85 ms a
 * page and 41 us a word on the nRF52840, with the CPU stalled. A slot of the default bundle (F =
 * 416, K = 6, R = 8, N = 36: 28,600 bytes) is seven pages: about 0.9 s in all. */
void har_app_poll(struct har_app *app);

#ifdef __cplusplus
}
#endif
#endif
