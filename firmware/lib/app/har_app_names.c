#include <string.h>

#include "lib/app/har_app_parts.h"

/* HELLO_REPLY carries every name with its length, after 25 bytes and before its version. */
#define NAMES_BYTES_MAX (HAR_LINK_MAX_PAYLOAD - 25u - sizeof HAR_FIRMWARE_VERSION)

/* Behind the limits; by bytes, because a model without spare rows has no such field. */
#define NAMES_AT (offsetof(struct har_stored_head, limits) + sizeof(float[HAR_ROWS]))

struct text {
    const uint8_t *bytes;
    size_t size;
};

struct har_name *har_name_entry(struct har_stored_head *head, uint16_t activity) {
    return (struct har_name *)((uint8_t *)head + NAMES_AT) + (activity - HAR_ACTIVITIES);
}

static struct text name_of(const struct har_stored_head *head, uint16_t activity) {
    if (activity < HAR_ACTIVITIES) {
        const char *shipped = har_activity_names[activity];
        return (struct text){(const uint8_t *)shipped, strlen(shipped)};
    }
    const struct har_name *name = har_name_entry((struct har_stored_head *)head, activity);
    return (struct text){name->text, name->size};
}

const char *har_app_head_name(struct har_app *app, uint16_t activity) {
    if (activity < HAR_ACTIVITIES) return har_activity_names[activity];
    const struct text name = name_of(&app->head.current.head, activity);
    memcpy(app->head.name, name.bytes, name.size);
    app->head.name[name.size] = '\0';
    return app->head.name;
}

/* Bytes of the UTF-8 character that `text` begins with, 0 when it is none: overlong, a surrogate,
 * beyond U+10FFFF or cut off; or when it is a control character. */
static size_t character_bytes(const uint8_t *text, size_t size) {
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const uint8_t first = text[0];
    if (first < 0x80) return first >= 0x20 && first != 0x7F ? 1 : 0;
    const size_t bytes = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
    if (first < 0xC0 || first > 0xF7 || bytes > size) return 0;
    uint32_t code = first & (0x7Fu >> bytes);
    for (size_t i = 1; i < bytes; ++i) {
        if ((text[i] & 0xC0) != 0x80) return 0;
        code = code << 6 | (text[i] & 0x3Fu);
    }
    if (code < least[bytes] || code > 0x10FFFF) return 0;
    if (code < 0xA0 || (code >= 0xD800 && code <= 0xDFFF)) return 0;
    return bytes;
}

static bool is_printable(const uint8_t *text, size_t size) {
    while (size > 0) {
        const size_t bytes = character_bytes(text, size);
        if (bytes == 0) return false;
        text += bytes;
        size -= bytes;
    }
    return true;
}

bool har_name_fits(const struct har_stored_head *head, uint16_t count, const uint8_t *text,
                   size_t size) {
    static const char unknown[] = {'u', 'n', 'k', 'n', 'o', 'w', 'n'};
    if (size == 0 || size > HAR_NAME_BYTES_MAX || !is_printable(text, size)) return false;
    if (size == sizeof unknown && memcmp(text, unknown, size) == 0) return false;
    size_t all = size + 1u;
    for (uint16_t k = 0; k < count; ++k) {
        const struct text name = name_of(head, k);
        if (name.size == size && memcmp(name.bytes, text, size) == 0) return false;
        all += name.size + 1u;
    }
    return all <= NAMES_BYTES_MAX;
}

bool har_names_right(const struct har_stored_head *head) {
    for (uint16_t k = HAR_ACTIVITIES; k < head->activities; ++k) {
        const struct text name = name_of(head, k);
        if (!har_name_fits(head, k, name.bytes, name.size)) return false;
    }
    return true;
}
