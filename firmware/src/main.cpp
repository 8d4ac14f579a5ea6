// The sketch. What it does is in lib/app; how it touches the board, in board/nano33ble.
#include <Arduino.h>

#include "hal/har_board.h"
#include "lib/app/har_app.h"

void setup() {
    har_board_init();
    har_app_init(har_app_static());
}

void loop() {
    har_app_poll(har_app_static());
}
