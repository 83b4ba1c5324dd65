/* The open frame of Dorsi for a board of one's own: acceleration and rate over BLE, counted, timed, checked.
 *
 * Plain C99, also C++; no allocation, no library. Include it in an Arduino sketch, fill frames, and send each as
 * one notification of DORSI_FRAME_DATA in the service DORSI_FRAME_SERVICE. Layout, little-endian:
 *
 *   0  u8   version, 1
 *   1  u8   sequence: counts frames, wraps
 *   2  u8   number of samples, 1 to 19
 *   3  u8   flags: bits 0-1 acceleration range (2, 4, 8, 16 g), bits 2-4 rate range (125, 250, 500, 1000,
 *           2000 deg/s), bit 5 a value was clipped, bit 6 values are means over the time between samples
 *   4  u32  time of the first sample in us since the board's start, wraps
 *   8  u16  time between samples in us
 *  10  n x 6 i16: acceleration x, y, z, rate x, y, z; 32768 is the range
 *  ..  u8   CRC-8 over all before: polynomial 07, begins with 0, not reflected
 *
 * A frame of n samples has 11 + 12 n bytes: 4 samples at 200 Hz are 59 bytes 50 times a second. Ask for an MTU
 * of at least 3 more. The time must be that of the measurement, not of the sending.
 */
#ifndef DORSI_FRAME_H
#define DORSI_FRAME_H

#include <stddef.h>
#include <stdint.h>

#define DORSI_FRAME_SERVICE "d0751000-6b1c-4c5e-9a3d-5f7e2b9c4a10"
#define DORSI_FRAME_DATA "d0751001-6b1c-4c5e-9a3d-5f7e2b9c4a10"

#define DORSI_FRAME_VERSION 1
#define DORSI_FRAME_SAMPLES_MAX 19
#define DORSI_FRAME_BYTES_MAX (11 + 12 * DORSI_FRAME_SAMPLES_MAX)

#define DORSI_ACC_2G 0
#define DORSI_ACC_4G 1
#define DORSI_ACC_8G 2
#define DORSI_ACC_16G 3
#define DORSI_GYR_125 (0 << 2)
#define DORSI_GYR_250 (1 << 2)
#define DORSI_GYR_500 (2 << 2)
#define DORSI_GYR_1000 (3 << 2)
#define DORSI_GYR_2000 (4 << 2)
#define DORSI_CLIPPED (1 << 5)
#define DORSI_MEANS (1 << 6)

typedef struct {
  uint8_t bytes[DORSI_FRAME_BYTES_MAX];
  uint8_t count;
} dorsi_frame;

/* Begins a frame. flags: one DORSI_ACC_, one DORSI_GYR_, and DORSI_MEANS where values are means. */
static inline void dorsi_frame_begin(dorsi_frame *frame, uint8_t sequence, uint8_t flags, uint32_t first_us,
                                     uint16_t between_us) {
  frame->count = 0;
  frame->bytes[0] = DORSI_FRAME_VERSION;
  frame->bytes[1] = sequence;
  frame->bytes[2] = 0;
  frame->bytes[3] = flags;
  frame->bytes[4] = (uint8_t)first_us;
  frame->bytes[5] = (uint8_t)(first_us >> 8);
  frame->bytes[6] = (uint8_t)(first_us >> 16);
  frame->bytes[7] = (uint8_t)(first_us >> 24);
  frame->bytes[8] = (uint8_t)between_us;
  frame->bytes[9] = (uint8_t)(between_us >> 8);
}

/* Adds a sample in counts; returns 0 where the frame is full. A count at either end is told as clipped. */
static inline int dorsi_frame_add(dorsi_frame *frame, const int16_t acc[3], const int16_t gyr[3]) {
  uint8_t *to;
  int axis;
  if (frame->count >= DORSI_FRAME_SAMPLES_MAX) return 0;
  to = frame->bytes + 10 + 12 * frame->count;
  for (axis = 0; axis < 6; axis++) {
    int16_t value = axis < 3 ? acc[axis] : gyr[axis - 3];
    if (value == INT16_MAX || value == INT16_MIN) frame->bytes[3] |= DORSI_CLIPPED;
    to[2 * axis] = (uint8_t)((uint16_t)value & 0xff);
    to[2 * axis + 1] = (uint8_t)((uint16_t)value >> 8);
  }
  frame->count++;
  return 1;
}

/* Closes the frame and returns how many of its bytes to send; 0 where it has no sample. */
static inline size_t dorsi_frame_end(dorsi_frame *frame) {
  size_t size = 10 + 12 * (size_t)frame->count, at;
  uint8_t crc = 0;
  int bit;
  if (frame->count == 0) return 0;
  frame->bytes[2] = frame->count;
  for (at = 0; at < size; at++) {
    crc ^= frame->bytes[at];
    for (bit = 0; bit < 8; bit++) crc = (uint8_t)((crc << 1) ^ ((crc & 0x80) ? 0x07 : 0));
  }
  frame->bytes[size] = crc;
  return size + 1;
}

#endif
