#pragma once

#include "Arduino.h"

namespace arduino {

class MbedI2C {
   public:
    virtual void begin();
    virtual void end();
    virtual void setClock(uint32_t freq);
    virtual void beginTransmission(uint8_t address);
    virtual uint8_t endTransmission(bool stopBit);
    virtual uint8_t endTransmission(void);
    virtual size_t requestFrom(uint8_t address, size_t len, bool stopBit);
    virtual size_t requestFrom(uint8_t address, size_t len);
    virtual size_t write(uint8_t data);
    virtual int read();
};

}  // namespace arduino

extern arduino::MbedI2C Wire1;
