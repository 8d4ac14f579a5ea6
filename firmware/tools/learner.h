/* The learner of one model as a host program, for `har personalize`: its figures are of the code
 * that the board runs. pipeline/sim/learner_program.py writes requests to stdin and reads
 * the answers from stdout. One process holds one learner, starting from the factory head.
 *
 * Little-endian. A request is: operation u8, argument u8, count u32, then `count` items if the
 * operation has items, at most HAR_LEARNER_ITEMS, so that no answer fills a pipe. B is the size of
 * a window at the cut, A the number of activities.
 *
 *   'H' hello: model id 8, B u32, F u16, R u8, K u8
 *   'R' reset, to the factory head: A u8
 *   'A' add an activity: A u8, as before when no row is left
 *   'B' blind, count < F: A u8
 *   'L' label; item: activity u8, window B: a u8 an item, enum har_outcome or 0x80 + har_status
 *   'P' predict, argument enum har_learner_predicts; item: window B: activity u8 an item
 *   'S' state: A u8, learned head active u8, updates u32, judged u32, shipped_right u32,
 *              learned_right u32, undone u32, held u16, held_right u16, CRC-32 of the
 *              learned parameters u32
 *
 * Blind is for ablations: the dense layer sees 0 instead of each of the first `count` features,
 * with the rate that as many standardized features as are left ask for; then it resets.
 *
 * Ends with 0 when stdin ends between two requests; with 2 when it ends within one, when a request
 * is none of these, or when an answer cannot be written.
 */
#ifndef HAR_TOOLS_LEARNER_H
#define HAR_TOOLS_LEARNER_H

#define HAR_LEARNER_ITEMS 4096u

enum har_learner_predicts { HAR_PREDICT_ACTIVE = 0, HAR_PREDICT_LEARNED, HAR_PREDICT_FACTORY };

#endif
