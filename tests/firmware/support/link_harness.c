/* Drives firmware/lib/link by lines of hex on stdin; answers one line each on stdout. Every buffer
 * is allocated at its exact size, so that the sanitizer sees a byte too far.
 *
 *   D CAPACITY STREAM         decode: "TYPE:SEQ:CRC:PAYLOAD ... good bad"
 *   E CAPACITY TYPE SEQ PAYLOAD   encode: the bytes on the wire, or "-"
 *   R LAYOUT PAYLOAD          read: the values, then "done", "left N" or "failed"
 *   W CAPACITY LAYOUT VALUE...    write: the bytes, or "failed SIZE"
 *   S PAYLOAD                 samples: the bits of six floats each
 *   C CAPACITY DATA           COBS-decode in place, separately too: the bytes or "bad"
 *
 * "." stands for no bytes. Layouts: B H I h f, x (hex, its size before a colon), s (string).
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/link/har_protocol.h"

#define LINE_BYTES (1u << 22)

struct bytes {
    uint8_t *data;
    size_t size;
};

static struct bytes bytes_of(const char *hex) {
    struct bytes out = {NULL, strcmp(hex, ".") == 0 ? 0 : strlen(hex) / 2};
    out.data = malloc(out.size);
    for (size_t i = 0; i < out.size; ++i) {
        unsigned value = 0;
        if (sscanf(hex + 2 * i, "%2x", &value) != 1) exit(3);
        out.data[i] = (uint8_t)value;
    }
    return out;
}

static void print_hex(const uint8_t *data, size_t size) {
    if (size == 0) printf(".");
    for (size_t i = 0; i < size; ++i) printf("%02x", data[i]);
}

static char *word(void) {
    char *found = strtok(NULL, " \n");
    if (found == NULL) exit(4);
    return found;
}

static size_t number(void) {
    return (size_t)strtoull(word(), NULL, 0);
}

static void decode(void) {
    const size_t capacity = number();
    struct bytes stream = bytes_of(word());
    uint8_t *buffer = malloc(capacity);
    struct har_frame_decoder decoder;
    har_frame_decoder_init(&decoder, buffer, capacity);
    for (size_t i = 0; i < stream.size; ++i) {
        struct har_frame frame;
        if (!har_frame_decoder_push(&decoder, stream.data[i], &frame)) continue;
        printf("%u:%u:%" PRIu32 ":", frame.type, frame.seq, frame.crc);
        print_hex(frame.payload, frame.size);
        printf(" ");
    }
    printf("%" PRIu32 " %" PRIu32 "\n", decoder.good, decoder.bad);
    free(buffer);
    free(stream.data);
}

static void encode(void) {
    const size_t capacity = number();
    const uint8_t type = (uint8_t)number();
    const uint16_t seq = (uint16_t)number();
    struct bytes payload = bytes_of(word());
    uint8_t *out = malloc(capacity);
    const size_t size = har_frame_encode(type, seq, payload.data, payload.size, out, capacity);
    if (size == 0) {
        printf("-\n");
    } else {
        print_hex(out, size);
        printf("\n");
    }
    free(out);
    free(payload.data);
}

static void read_values(void) {
    const char *layout = word();
    struct bytes payload = bytes_of(word());
    struct har_reader reader;
    har_reader_init(&reader, payload.data, payload.size);
    for (; *layout != '\0' && *layout != '.'; ++layout) {
        size_t size = 0;
        if (*layout >= '0' && *layout <= '9') {
            char *end;
            size = (size_t)strtoull(layout, &end, 10);
            layout = end;
        }
        if (*layout == 'B') printf("%u ", har_get_u8(&reader));
        if (*layout == 'H') printf("%u ", har_get_u16(&reader));
        if (*layout == 'I') printf("%" PRIu32 " ", har_get_u32(&reader));
        if (*layout == 'h') printf("%d ", har_get_i16(&reader));
        if (*layout == 'f') printf("%.9g ", (double)har_get_f32(&reader));
        if (*layout == 's') size = har_get_u8(&reader);
        if (*layout == 's' || *layout == 'x') {
            const uint8_t *bytes = har_get_bytes(&reader, size);
            if (bytes != NULL) print_hex(bytes, size);
            printf(" ");
        }
    }
    if (har_reader_done(&reader)) {
        printf("done\n");
    } else if (reader.failed) {
        printf("failed\n");
    } else {
        printf("left %zu\n", har_reader_left(&reader));
    }
    free(payload.data);
}

static void write_values(void) {
    const size_t capacity = number();
    const char *layout = word();
    uint8_t *data = malloc(capacity);
    struct har_writer writer;
    har_writer_init(&writer, data, capacity);
    for (; *layout != '\0' && *layout != '.'; ++layout) {
        if (*layout == 'B') har_put_u8(&writer, (uint8_t)number());
        if (*layout == 'H') har_put_u16(&writer, (uint16_t)number());
        if (*layout == 'I') har_put_u32(&writer, (uint32_t)number());
        if (*layout == 'h') har_put_i16(&writer, (int16_t)strtol(word(), NULL, 10));
        if (*layout == 'f') har_put_f32(&writer, strtof(word(), NULL));
        if (*layout == 's' || *layout == 'x') {
            struct bytes bytes = bytes_of(word());
            if (*layout == 'x') {
                har_put_bytes(&writer, bytes.data, bytes.size);
            } else {
                char *text = calloc(bytes.size + 1, 1);
                memcpy(text, bytes.data, bytes.size);
                har_put_string(&writer, text);
                free(text);
            }
            free(bytes.data);
        }
    }
    if (writer.failed) {
        printf("failed %zu\n", writer.size);
    } else {
        print_hex(data, writer.size);
        printf("\n");
    }
    free(data);
}

static void read_samples(void) {
    struct bytes payload = bytes_of(word());
    struct har_reader reader;
    har_reader_init(&reader, payload.data, payload.size);
    while (har_reader_left(&reader) >= HAR_SAMPLE_BYTES) {
        float sample[HAR_SAMPLE_CHANNELS];
        har_get_sample(&reader, sample);
        for (size_t c = 0; c < HAR_SAMPLE_CHANNELS; ++c) {
            uint32_t bits;
            memcpy(&bits, &sample[c], sizeof bits);
            printf("%08" PRIx32 " ", bits);
        }
    }
    printf("\n");
    free(payload.data);
}

static void cobs_decode(void) {
    const size_t capacity = number();
    struct bytes data = bytes_of(word());
    uint8_t *out = malloc(capacity);
    size_t size = 0;
    size_t in_place = 0;
    const har_status status = har_cobs_decode(data.data, data.size, out, capacity, &size);
    if (har_cobs_decode(data.data, data.size, data.data, data.size, &in_place) == HAR_OK &&
        status == HAR_OK && (in_place != size || memcmp(out, data.data, size) != 0)) {
        printf("in place differs\n");
    } else if (status == HAR_OK) {
        print_hex(out, size);
        printf("\n");
    } else {
        printf("bad\n");
    }
    free(out);
    free(data.data);
}

int main(void) {
    char *line = malloc(LINE_BYTES);
    while (fgets(line, LINE_BYTES, stdin) != NULL) {
        const char *command = strtok(line, " \n");
        if (command == NULL) continue;
        if (*command == 'D') decode();
        if (*command == 'E') encode();
        if (*command == 'R') read_values();
        if (*command == 'W') write_values();
        if (*command == 'S') read_samples();
        if (*command == 'C') cobs_decode();
    }
    free(line);
    return 0;
}
