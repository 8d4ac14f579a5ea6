/* The app: a state machine with no hardware in it. Samples in, window, engine, head, prediction
 * out; label in, lesson out. One instance; all its memory is static (see har_app.c).
 * Talks text until a HELLO frame comes, frames from then on (docs/PROTOCOL.md). */
#ifndef HAR_APP_H
#define HAR_APP_H

#ifdef __cplusplus
extern "C" {
#endif

/* Loads the newest learned head of this model, or the factory head. Call after har_board_init(). */
void har_app_init(void);

/* One turn: takes what the serial line and the IMU have, answers, returns. Takes no longer than one
 * inference, or one request. The longest requests are those that store: SAVE, HEAD_RESET,
 * HEAD_ROLLBACK and HEAD_COMMIT erase every page of one slot and write one record, about 85 ms a
 * page and 41 us a word on the nRF52840, with the CPU stalled. A slot of the default bundle (F =
 * 416, K = 6, R = 8, N = 36: 28,600 bytes) is seven pages: about 0.9 s in all. */
void har_app_poll(void);

#ifdef __cplusplus
}
#endif
#endif
