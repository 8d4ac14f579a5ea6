/* The bus that the motion sensor hangs on. Everything goes through here and not through Arduino's
 * drivers, because those take a failed transfer for a sample. */
#ifndef HAR_IMU_BUS_H
#define HAR_IMU_BUS_H

#include <stdint.h>

constexpr uint8_t imu_bus_most = 252u; /* bytes of one read: what Wire's buffer holds */

/* Takes the bus anew. False: a line is held low and nine clocks did not free it; then no transfer
 * may follow. Never waits: about a millisecond. */
bool imu_bus_begin(void);

/* 400 kHz. To be called after whatever took the bus anew. */
void imu_bus_fast(void);

/* `size` registers from `first` on. */
bool imu_bus_read(uint8_t device, uint8_t first, uint8_t *data, uint8_t size);
bool imu_bus_write(uint8_t device, uint8_t address, uint8_t value);

/* Writes, and reads back whether it was taken. */
bool imu_bus_set(uint8_t device, uint8_t address, uint8_t value);

/* Whether a register reads as expected. No answer is no error here. */
bool imu_bus_shows(uint8_t device, uint8_t address, uint8_t expected);

/* Transfers that failed since the start, modulo 2^32. */
uint32_t imu_bus_errors(void);

/* Whether a failed transfer took so long that the bus itself must hang. Forgets it. */
bool imu_bus_hung(void);

#endif
