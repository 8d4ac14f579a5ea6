/* The app: a state machine with no hardware in it. Samples in, window, engine, tail, prediction
 * out; label in, update, save. One instance; all its memory is static (see har_app.c).
 * Talks text until a HELLO frame comes, frames from then on (docs/PROTOCOL.md). */
#ifndef HAR_APP_H
#define HAR_APP_H

#ifdef __cplusplus
extern "C" {
#endif

/* Loads the newest learned tail of this model, or the shipped one. Call after har_board_init(). */
void har_app_init(void);

/* One turn: takes what the serial line and the IMU have, answers, returns. Never blocks longer
 * than one inference or one flash page. */
void har_app_poll(void);

#ifdef __cplusplus
}
#endif
#endif
