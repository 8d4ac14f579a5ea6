#ifndef USBSERIAL_H
#define USBSERIAL_H

#include "Arduino.h"

namespace arduino {

class USBCDC {
   public:
    void send_nb(uint8_t *buffer, uint32_t size, uint32_t *actual, bool now = true);
};

class USBSerial : public USBCDC {
   public:
    int read(void);
};

}  // namespace arduino

extern arduino::USBSerial _SerialUSB;

#endif
