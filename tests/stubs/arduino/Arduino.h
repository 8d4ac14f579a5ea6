#ifndef Arduino_h
#define Arduino_h

#include <stddef.h>
#include <stdint.h>

#define LED_BUILTIN (13u)
#define LEDR (22u)
#define LEDG (23u)
#define LEDB (24u)
#define PIN_WIRE_SDA1 (30u)
#define PIN_WIRE_SCL1 (31u)

extern "C" {

typedef enum { LOW = 0, HIGH = 1, CHANGE = 2, FALLING = 3, RISING = 4 } PinStatus;
typedef enum { INPUT = 0, OUTPUT = 1, INPUT_PULLUP = 2, INPUT_PULLDOWN = 3 } PinMode;
typedef uint8_t pin_size_t;

void setup(void);
void loop(void);

void pinMode(pin_size_t pinNumber, PinMode pinMode);
void digitalWrite(pin_size_t pinNumber, PinStatus status);
PinStatus digitalRead(pin_size_t pinNumber);
unsigned long millis(void);
unsigned long micros(void);
void delay(unsigned long);
void delayMicroseconds(unsigned int us);

}  // extern "C"

#endif
