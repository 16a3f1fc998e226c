// filedata.c - what a regular file in memory holds.
//
// Page k of a file is, in this order: frame k of its radix tree (512 entries a node, at most 4 levels), if that
// is there; bytes of the boot archive at k * 4096, as far as base_length reaches; zeros.  So a file of the
// archive takes no memory until it is written, and whole pages of it are mapped into programs as they lie in
// the archive.  Once somebody maps the file writable and shared (`own`), only frames of the tree are given
// out, so that all see the same page.
//
// Bytes of a frame past the end of the file are zero, except that a shared mapping can write there; they are
// cleared again before the file grows over them.
//
// Errors: -ENOSPC when no frame is free (what was written before counts), -EFAULT from the program's memory.
#include <base.h>
#include <resources.h>

#include "file.h"

enum { NODE_BITS = 9, NODE_ENTRIES = 1 << NODE_BITS, MAX_HEIGHT = 4 };

static pa_t *node_of(pa_t frame)
{
    return ak_window(frame);
}

static pa_t frame_zeroed(void)
{
    pa_t frame = resources_frame();

    if (frame != 0) {
        memset(ak_window(frame), 0, ABI_PAGE);
    }
    return frame;
}

static pa_t tree_get(const struct page_data *d, uint64_t index)
{
    if (d->root == 0 || index >> (NODE_BITS * d->height) != 0) {
        return 0;
    }
    pa_t at = d->root;
    for (unsigned h = d->height; h > 0 && at != 0; h--) {
        at = node_of(at)[index >> (NODE_BITS * (h - 1)) & (NODE_ENTRIES - 1)];
    }
    return at;
}

// Put a frame where there is none.  Nodes that were made before memory ran out stay: they are empty.
static int tree_put(struct page_data *d, uint64_t index, pa_t frame)
{
    while (index >> (NODE_BITS * d->height) != 0) {
        if (d->root != 0) {
            pa_t top = frame_zeroed();
            if (top == 0) {
                return -ENOSPC;
            }
            node_of(top)[0] = d->root;
            d->root = top;
        }
        d->height++;
    }
    pa_t *slot = &d->root;
    for (unsigned h = d->height; h > 0; h--) {
        if (*slot == 0 && (*slot = frame_zeroed()) == 0) {
            return -ENOSPC;
        }
        slot = &node_of(*slot)[index >> (NODE_BITS * (h - 1)) & (NODE_ENTRIES - 1)];
    }
    *slot = frame;
    d->pages++;
    return 0;
}

// Drop the frames from page `from` of this subtree on.  Recursion: as deep as the tree, 4.
static void tree_trim(struct page_data *d, pa_t *slot, unsigned height, uint64_t from)
{
    if (*slot == 0) {
        return;
    }
    if (height == 0) {
        if (from == 0) {
            ak_frame_put(*slot);
            *slot = 0;
            d->pages--;
        }
        return;
    }
    uint64_t span = 1ull << (NODE_BITS * (height - 1));
    for (uint64_t k = from / span; k < NODE_ENTRIES; k++) {
        tree_trim(d, &node_of(*slot)[k], height - 1, k == from / span ? from % span : 0);
    }
    if (from == 0) {
        ak_frame_put(*slot);
        *slot = 0;
    }
}

// A frame with what page `index` holds now, not in the tree yet.
static pa_t page_copy(const struct page_data *d, uint64_t index)
{
    uint64_t at = index * ABI_PAGE, have = 0;
    pa_t frame = resources_frame();

    if (frame == 0) {
        return 0;
    }
    uint8_t *bytes = ak_window(frame);
    if (at < d->base_length) {
        have = d->base_length - at < ABI_PAGE ? d->base_length - at : ABI_PAGE;
        memcpy(bytes, d->base + at, have);
    }
    memset(bytes + have, 0, ABI_PAGE - have);
    return frame;
}

// The frame of a page in the tree, made if need be; 0: no memory.
static pa_t page_own(struct page_data *d, uint64_t index)
{
    pa_t frame = tree_get(d, index);

    if (frame == 0) {
        frame = page_copy(d, index);
        if (frame != 0 && tree_put(d, index, frame) != 0) {
            ak_frame_put(frame);
            frame = 0;
        }
    }
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
        pa_t frame = tree_get(d, at / ABI_PAGE);
        int e;
        if (frame != 0) {
            // The reader's memory may be this very file, and shrink: keep the frame while copying.
            ak_frame_get(frame);
            e = xfer_out(x, (uint8_t *)ak_window(frame) + in_page, n);
            ak_frame_put(frame);
        } else if (at < d->base_length) {
            uint64_t left = d->base_length - at;
            if (d->pages == 0) {             // nothing of the file is in frames: it is one piece
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
    pa_t frame = in_page != 0 ? tree_get(&i->data, i->size / ABI_PAGE) : 0;

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
    pa_t frame = tree_get(d, index);

    if (frame != 0) {
        ak_frame_get(frame);
        int e = xfer_in(x, (uint8_t *)ak_window(frame) + in_page, n);
        ak_frame_put(frame);
        return e;
    }
    frame = n == ABI_PAGE ? resources_frame() : page_copy(d, index);
    if (frame == 0) {
        return -ENOSPC;
    }
    int e = xfer_in(x, (uint8_t *)ak_window(frame) + in_page, n);
    if (e == 0) {
        pa_t other = tree_get(d, index);
        if (other == 0) {
            e = tree_put(d, index, frame);
            if (e == 0) {
                return 0;
            }
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
    uint64_t pages = (size + ABI_PAGE - 1) / ABI_PAGE;
    if (pages >> (NODE_BITS * d->height) == 0) {
        tree_trim(d, &d->root, d->height, pages);
        if (d->pages == 0) {                 // nodes may be left
            tree_trim(d, &d->root, d->height, 0);
            d->height = 0;
        }
    }
    if (d->base_length > size) {
        d->base_length = size;
    }
    i->size = size;
    tail_clear(i);
    if (d->mapped) {
        ux_file_truncated(i, size);
    }
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
        if (tree_get(d, offset / ABI_PAGE) != 0 || offset < d->base_length) {
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
    tree_trim(&i->data, &i->data.root, i->data.height, 0);
}

pa_t inode_page(struct inode *i, uint64_t index, bool write)
{
    if (!inode_is(i, S_IFREG) || i->fs->transient || index >= (i->size + ABI_PAGE - 1) / ABI_PAGE) {
        return 0;
    }
    struct page_data *d = &i->data;
    d->mapped = true;
    if (write) {
        d->own = true;
    }
    pa_t frame = tree_get(d, index);
    if (frame == 0 && !d->own && (index + 1) * ABI_PAGE <= d->base_length && (pa_t)d->base % ABI_PAGE == 0) {
        frame = ak_window_pa(d->base) + index * ABI_PAGE;
    }
    if (frame == 0) {
        frame = page_own(d, index);
    }
    if (frame != 0) {
        ak_frame_get(frame);
    }
    return frame;
}

long inode_read(struct inode *i, void *to, uint64_t offset, size_t length)
{
    struct xfer x = {.kernel = to};

    if (!inode_is(i, S_IFREG) || i->fs->transient) {
        return -EINVAL;
    }
    return filedata_read(i, &x, offset, length);
}
