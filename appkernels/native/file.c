// file.c - segments that show bytes of the boot archive, at once or as from a slow disk.
//
// A page that has not been there yet is asked for by the first touch, and arrives `delay` ticks later: `asked` has the
// moment.  Until then its operation answers ERR_AGAIN, and whoever needs the page waits without the lock.
#include "program.h"

#include <base.h>
#include <cpio.h>

struct file {
    struct segment  segment;             // first
    struct program *program;             // I
    const uint8_t  *bytes;               // I  the first of them is byte `skip` of the segment
    uint64_t        size, skip, delay;   // I
    struct tree     asked;               // l  by page: when it arrives
};

static err_t file_fill(struct segment *s, uint64_t page, pa_t frame)
{
    const struct file *f = (const struct file *)s;
    uint64_t at = page * ABI_PAGE, end = at + ABI_PAGE, last = f->skip + f->size;
    uint64_t from = at > f->skip ? at : f->skip, to = end < last ? end : last;
    uint8_t *out = ak_window(frame);

    memset(out, 0, ABI_PAGE);
    if (from < to) {
        memcpy(out + (from - at), f->bytes + (from - f->skip), to - from);
    }
    return ERR_OK;
}

static err_t file_page(struct segment *s, uint64_t page, bool write, pa_t *frame)
{
    struct file *f = (struct file *)s;

    if (f->delay != 0 && segment_frame(s, page) == 0) {
        uint64_t *asked = tree_make(&f->asked, page);
        if (asked == NULL) {
            return ERR_LIMIT;
        }
        *asked = *asked != 0 ? *asked : ak_now() + f->delay;
        if (ak_now() < *asked) {
            f->program->arrival = *asked;
            return ERR_AGAIN;
        }
    }
    return segment_keep(s, page, write, frame);
}

static void file_end(struct segment *s)
{
    struct file *f = (struct file *)s;

    segment_destroy(s);
    tree_destroy(&f->asked);
    ak_free(f, sizeof(*f));
}

struct segment *file_segment(struct program *p, const uint8_t *bytes, uint64_t size, uint64_t skip, uint64_t delay)
{
    static const struct segment_ops ops = {.page = file_page, .fill = file_fill, .end = file_end};
    struct file *f = ak_alloc(sizeof(*f));

    if (f == NULL) {
        return NULL;
    }
    segment_init(&f->segment, &ops, &p->manager, 1);
    f->program = p;
    f->bytes = bytes;
    f->size = size;
    f->skip = skip;
    f->delay = delay;
    return &f->segment;
}

bool file_find(const char *name, const uint8_t **bytes, uint64_t *size)
{
    struct cpio_entry e;
    char path[128];
    int length = base_format(path, sizeof(path), "root/%s", *name == '/' ? name + 1 : name);

    if ((size_t)length >= sizeof(path) || ak_info->archive == 0 ||
        !cpio_find(ak_window(ak_info->archive), ak_info->archive_length, path, &e)) {
        return false;
    }
    *bytes = e.data;
    *size = e.size;
    return true;
}
