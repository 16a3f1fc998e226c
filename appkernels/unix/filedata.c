// filedata.c - what a regular file in memory holds.
//
// A file is a segment of the library's (segment.h) with two operations of its own.  Page k is, in this order: the
// frame that the segment keeps for it; bytes of the boot archive at k * 4096, as far as base_length reaches; zeros.
// So a file of the archive takes no memory until it is written, and whole pages of it are mapped into programs as
// they lie in the archive.  Once somebody maps the file writable and shared (`own`), only frames of the segment are
// given out, so that all see the same page.
//
// Bytes of a frame past the end of the file are zero, except that a shared mapping can write there; they are
// cleared again before the file grows over them.
//
// Errors: -ENOSPC when no frame is free (what was written before counts), -EFAULT from the program's memory.
#include <base.h>
#include <resources.h>

#include "file.h"

static struct inode *inode_of(struct segment *s)
{
    return (struct inode *)((char *)s - offsetof(struct inode, data.segment));
}

// A fresh frame gets what the page holds now.
static err_t file_fill(struct segment *s, uint64_t index, pa_t frame)
{
    const struct page_data *d = &inode_of(s)->data;
    uint64_t at = index * ABI_PAGE, have = 0;
    uint8_t *bytes = ak_window(frame);

    if (at < d->base_length) {
        have = d->base_length - at < ABI_PAGE ? d->base_length - at : ABI_PAGE;
        memcpy(bytes, d->base + at, have);
    }
    memset(bytes + have, 0, ABI_PAGE - have);
    return ERR_OK;
}

// For a region that shows the file.
static err_t file_page(struct segment *s, uint64_t index, bool write, pa_t *frame)
{
    struct inode *i = inode_of(s);
    struct page_data *d = &i->data;

    if (index >= (i->size + ABI_PAGE - 1) / ABI_PAGE) {
        return ERR_STALE;
    }
    d->own |= write;
    if (!d->own && (index + 1) * ABI_PAGE <= d->base_length && (pa_t)d->base % ABI_PAGE == 0 &&
        segment_frame(s, index) == 0) {
        *frame = ak_window_pa(d->base) + index * ABI_PAGE;
        ak_frame_get(*frame);
        return ERR_OK;
    }
    return segment_keep(s, index, write, frame);
}

static void file_unbound(struct segment *s)
{
    inode_put(inode_of(s));
}

static const struct segment_ops file_ops = {
    .page = file_page, .fill = file_fill, .end = file_unbound, .ahead = true,
};

static pa_t file_frame(struct manager *m)
{
    (void)m;
    return resources_frame();
}

// Frames of files do not take the memory of ended tasks: a full file system is said to the program.
static const struct manager_ops file_manager_ops = {.frame = file_frame};
static struct manager file_manager = {.ops = &file_manager_ops};

void filedata_init(struct inode *i)
{
    segment_init(&i->data.segment, &file_ops, &file_manager, 0);
}

struct segment *inode_segment(struct inode *i)
{
    if (i->data.segment.users == 0) {
        inode_get(i);
    }
    segment_get(&i->data.segment);
    return &i->data.segment;
}

struct inode *segment_inode(struct segment *s)
{
    return s->ops == &file_ops ? inode_of(s) : NULL;
}

static pa_t page_find(struct page_data *d, uint64_t index)
{
    return segment_frame(&d->segment, index);
}

// The file's own frame of a page, made if need be; 0: no memory.
static pa_t page_own(struct page_data *d, uint64_t index)
{
    pa_t frame = 0;

    if (segment_keep(&d->segment, index, true, &frame) != ERR_OK) {
        return 0;
    }
    ak_frame_put(frame);                 // the file has one user of it
    return frame;
}

long filedata_read(struct inode *i, struct xfer *x, uint64_t offset, size_t length)
{
    struct page_data *d = &i->data;
    size_t done = 0;

    if (offset >= i->size) {
        return 0;
    }
    if (length > i->size - offset) {
        length = i->size - offset;
    }
    while (done < length) {
        uint64_t at = offset + done, in_page = at % ABI_PAGE;
        size_t n = ABI_PAGE - in_page < length - done ? ABI_PAGE - in_page : length - done;
        pa_t frame = page_find(d, at / ABI_PAGE);
        int e;
        if (frame != 0) {
            // The reader's memory may be this very file, and shrink: keep the frame while copying.
            ak_frame_get(frame);
            e = xfer_out(x, (uint8_t *)ak_window(frame) + in_page, n);
            ak_frame_put(frame);
        } else if (at < d->base_length) {
            uint64_t left = d->base_length - at;
            if (d->segment.resident == 0) {  // nothing of the file is in frames: it is one piece
                n = length - done;
            }
            n = n < left ? n : left;
            e = xfer_out(x, d->base + at, n);
        } else {
            e = xfer_zero(x, n);
        }
        if (e != 0) {
            return done > 0 ? (long)done : e;
        }
        done += n;
    }
    inode_accessed(i);
    return (long)done;
}

// Clear what a shared mapping wrote past the end, before the file grows over it.
static void tail_clear(struct inode *i)
{
    uint64_t in_page = i->size % ABI_PAGE;
    pa_t frame = in_page != 0 ? page_find(&i->data, i->size / ABI_PAGE) : 0;

    if (frame != 0) {
        memset((uint8_t *)ak_window(frame) + in_page, 0, ABI_PAGE - in_page);
    }
}

// Write within one page.  The bytes are fetched before the page enters the tree, so a fault leaves no trace.
// Fetching can itself bring in this page, if the program writes from a mapping of the same file.
static int page_write(struct inode *i, struct xfer *x, uint64_t at, size_t n)
{
    struct page_data *d = &i->data;
    uint64_t index = at / ABI_PAGE, in_page = at % ABI_PAGE;
    pa_t frame = page_find(d, index);

    if (frame != 0) {
        ak_frame_get(frame);
        int e = xfer_in(x, (uint8_t *)ak_window(frame) + in_page, n);
        ak_frame_put(frame);
        return e;
    }
    frame = manager_frame(&file_manager);
    if (frame == 0) {
        return -ENOSPC;
    }
    if (n < ABI_PAGE) {
        (void)file_fill(&d->segment, index, frame);
    }
    int e = xfer_in(x, (uint8_t *)ak_window(frame) + in_page, n);
    if (e == 0) {
        pa_t other = page_find(d, index);
        if (other == 0) {
            if (segment_set(&d->segment, index, frame) == ERR_OK) {
                return 0;
            }
            e = -ENOSPC;
        } else {
            memcpy((uint8_t *)ak_window(other) + in_page, (uint8_t *)ak_window(frame) + in_page, n);
        }
    }
    ak_frame_put(frame);
    return e;
}

long filedata_write(struct inode *i, struct xfer *x, uint64_t offset, size_t length)
{
    size_t done = 0;
    int e = 0;

    if (length == 0) {
        return 0;
    }
    if (offset >= FILEDATA_MAX) {
        return -EFBIG;
    }
    if (length > FILEDATA_MAX - offset) {
        length = FILEDATA_MAX - offset;
    }
    if (offset + length > i->size && i->data.own) {
        tail_clear(i);
    }
    while (done < length) {
        uint64_t at = offset + done, room = ABI_PAGE - at % ABI_PAGE;
        size_t n = room < length - done ? room : length - done;
        e = page_write(i, x, at, n);
        if (e != 0) {
            break;
        }
        done += n;
        if (at + n > i->size) {
            i->size = at + n;
        }
    }
    if (done == 0) {
        return e;
    }
    inode_touch(i);
    i->mode &= (i->mode & S_IXGRP) != 0 ? ~(uint32_t)(S_ISUID | S_ISGID) : ~(uint32_t)S_ISUID;
    return (long)done;
}

int filedata_truncate(struct inode *i, uint64_t size)
{
    struct page_data *d = &i->data;

    if (size > FILEDATA_MAX) {
        return -EFBIG;
    }
    if (size >= i->size) {
        if (d->own) {
            tail_clear(i);
        }
        i->size = size;
        return 0;
    }
    segment_drop(&d->segment, (size + ABI_PAGE - 1) / ABI_PAGE, TREE_END);
    if (d->base_length > size) {
        d->base_length = size;
    }
    i->size = size;
    tail_clear(i);
    ux_file_truncated(i, size);
    return 0;
}

// Make sure that writing to the range cannot run out of memory.
int filedata_reserve(struct inode *i, uint64_t offset, uint64_t length)
{
    if (offset > FILEDATA_MAX || length > FILEDATA_MAX - offset) {
        return -EFBIG;
    }
    for (uint64_t k = offset / ABI_PAGE; k < (offset + length + ABI_PAGE - 1) / ABI_PAGE; k++) {
        if (page_own(&i->data, k) == 0) {
            return -ENOSPC;
        }
    }
    return 0;
}

int filedata_zero(struct inode *i, uint64_t offset, uint64_t length)
{
    struct page_data *d = &i->data;

    if (offset >= i->size) {
        return 0;
    }
    if (length > i->size - offset) {
        length = i->size - offset;
    }
    while (length > 0) {
        uint64_t room = ABI_PAGE - offset % ABI_PAGE;
        uint64_t n = room < length ? room : length;
        if (page_find(d, offset / ABI_PAGE) != 0 || offset < d->base_length) {
            pa_t frame = page_own(d, offset / ABI_PAGE);
            if (frame == 0) {
                return -ENOSPC;
            }
            memset((uint8_t *)ak_window(frame) + offset % ABI_PAGE, 0, n);
        }
        offset += n;
        length -= n;
    }
    return 0;
}

void filedata_destroy(struct inode *i)
{
    segment_destroy(&i->data.segment);
}

long inode_read(struct inode *i, void *to, uint64_t offset, size_t length)
{
    struct xfer x = {.kernel = to};

    if (!inode_is(i, S_IFREG) || i->fs->transient) {
        return -EINVAL;
    }
    return filedata_read(i, &x, offset, length);
}
