#include "lib/app/har_app_parts.h"

#define PREDICTION_SHOWN_MS 150u
#define LEARNING_SHOWN_MS 300u

static bool shown_long_enough(struct har_app *app) {
    const uint32_t passed_ms = har_board_millis() - app->shown_ms;
    if (app->shown == HAR_SHOW_LEARNING) return passed_ms >= LEARNING_SHOWN_MS;
    return app->shown == HAR_SHOW_PREDICTING && passed_ms >= PREDICTION_SHOWN_MS;
}

void har_show(struct har_app *app, uint8_t state) {
    if (state == HAR_SHOW_PREDICTING && app->shown == HAR_SHOW_LEARNING && !shown_long_enough(app))
        return;
    app->shown = state;
    app->shown_ms = har_board_millis();
    har_board_show(app->shown);
}

void har_show_on(struct har_app *app) {
    if (shown_long_enough(app)) app->shown = HAR_SHOW_ALIVE;
    har_board_show(app->shown);
}
