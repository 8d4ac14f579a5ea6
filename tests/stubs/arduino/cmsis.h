#ifndef MBED_CMSIS_H
#define MBED_CMSIS_H

#include <stdint.h>

typedef struct {
    volatile uint32_t CTRL;
    volatile uint32_t CYCCNT;
} DWT_Type;

typedef struct {
    volatile uint32_t DEMCR;
} CoreDebug_Type;

typedef struct {
    volatile uint32_t NRFFW[15];
} NRF_UICR_Type;

typedef struct {
    volatile uint32_t TASKS_START;
    volatile uint32_t EVENTS_DATARDY;
    volatile const int32_t TEMP;
} NRF_TEMP_Type;

typedef struct {
    volatile uint32_t ENABLE;
} NRF_TWI_Type;

extern DWT_Type *const DWT;
extern CoreDebug_Type *const CoreDebug;
extern NRF_UICR_Type *const NRF_UICR;
extern NRF_TEMP_Type *const NRF_TEMP;
extern NRF_TWI_Type *const NRF_TWI0;
extern NRF_TWI_Type *const NRF_TWI1;

#define CoreDebug_DEMCR_TRCENA_Msk (1UL << 24)
#define DWT_CTRL_CYCCNTENA_Msk (1UL << 0)

#endif
