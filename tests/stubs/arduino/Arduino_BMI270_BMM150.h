#pragma once

#include "Arduino.h"
#include "Wire.h"

typedef enum {
    BOSCH_ACCELEROMETER_ONLY,
    BOSCH_MAGNETOMETER_ONLY,
    BOSCH_ACCEL_AND_MAGN
} CfgBoshSensor_t;

class BoschSensorClass {
   public:
    int begin(CfgBoshSensor_t cfg = BOSCH_ACCEL_AND_MAGN);
};

extern BoschSensorClass IMU_BMI270_BMM150;
