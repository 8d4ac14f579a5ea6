/* Assert: for our own bugs only, never for input (see har_status.h).
 * The board decides what a failed assert does: the host aborts, a microcontroller halts and blinks.
 */
#ifndef HAR_ASSERT_H
#define HAR_ASSERT_H

#ifdef __cplusplus
extern "C" {
#endif

/* Defined by the board; never returns. */
void har_assert_failed(const char *file, int line) __attribute__((noreturn));

#define HAR_ASSERT(condition) ((condition) ? (void)0 : har_assert_failed(__FILE__, __LINE__))

#ifdef __cplusplus
}
#endif
#endif
