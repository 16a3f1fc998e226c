// path.c - from names to inodes: the walk over directories, links and mounted file systems.
//
// The text lies in a buffer of the look-up.  A symbolic link puts its own text in front of what is left there
// and the walk goes on, so neither depth nor length is unbounded: 40 links and 4096 bytes.
//
// Buffers are kept on a list of a few; a look-up takes one, rename two.  Locking: the giant, never released here.
#include "path.h"

#include <base.h>

#include "file.h"

enum { BUFFERS_KEPT = 4 };
static struct spare { struct spare *next; } *spare;      // g
static unsigned spares;                                   // g

char *path_buffer_get(void)
{
    if (spare != NULL) {
        struct spare *s = spare;
        spare = s->next;
        spares--;
        return (char *)s;
    }
    pa_t frame = ak_frame_alloc();
    return frame != 0 ? ak_window(frame) : NULL;
}

void path_buffer_put(char *buffer)
{
    if (spares < BUFFERS_KEPT) {
        struct spare *s = (struct spare *)buffer;
        s->next = spare;
        spare = s;
        spares++;
    } else {
        ak_frame_put(ak_window_pa(buffer));
    }
}

void path_put(struct path *p)
{
    if (p->dir != NULL) {
        inode_put(p->dir);
    }
    if (p->inode != NULL) {
        inode_put(p->inode);
    }
    if (p->buffer != NULL) {
        path_buffer_put(p->buffer);
    }
    p->dir = p->inode = NULL;
    p->buffer = NULL;
}

// What lies on top of a directory, if file systems are mounted there.  Takes over the user.
static struct inode *mount_up(struct inode *i)
{
    while (i->mounted != NULL) {
        struct inode *top = i->mounted;
        inode_get(top);
        inode_put(i);
        i = top;
    }
    return i;
}

// "..": stays at the root of the task, and leaves a mounted file system.
static struct inode *parent_of(struct inode *i, struct inode *root)
{
    if (i == root) {
        inode_get(i);
        return i;
    }
    // A mounted file system may lie on another.
    while (i == i->fs->root && i->fs->covered != NULL && i != root) {
        i = i->fs->covered;
    }
    if (i == root) {
        inode_get(i);
        return mount_up(i);
    }
    return mount_up(i->ops->parent(i));
}

struct walk {
    struct task *task;
    struct path *p;
    struct inode *cwd;                   // where the walk is; a user
    char     *at;                        // the text that is left
    unsigned  links;
    unsigned  flags;
};

// One link: its text replaces the component, or it leads straight to an inode.
static int walk_link(struct walk *w, struct inode *link)
{
    if (++w->links > LINUX_LINKS_MAX) {
        return -ELOOP;
    }
    if (link->ops->follow != NULL) {
        struct inode *target = NULL;
        int e = link->ops->follow(w->task, link, &target);
        if (e != -EINVAL) {
            if (e == 0) {
                inode_put(w->cwd);
                w->cwd = target;
            }
            return e;
        }
    }
    char *text = path_buffer_get();
    if (text == NULL) {
        return -ENOMEM;
    }
    long n = link->ops->readlink(w->task, link, text, LINUX_PATH_MAX);
    size_t left = strlen(w->at);
    int e = n < 0 ? (int)n : n == 0 ? -ENOENT : (size_t)n + left + 1 > LINUX_PATH_MAX ? -ENAMETOOLONG : 0;
    if (e == 0) {
        memmove(w->p->buffer + n, w->at, left + 1);
        memcpy(w->p->buffer, text, (size_t)n);
        w->at = w->p->buffer;
        if (*w->at == '/') {
            inode_put(w->cwd);
            w->cwd = w->task->fs->root;
            inode_get(w->cwd);
        }
    }
    path_buffer_put(text);
    return e;
}

// The inode of one component of the directory w->cwd; -ENOENT leaves *next NULL.
static int walk_find(struct walk *w, const char *name, size_t length, struct inode **next)
{
    struct inode *dir = w->cwd;
    const struct creds *c = &w->task->creds;
    bool real = (w->flags & WALK_REAL) != 0;

    *next = NULL;
    if (!inode_is(dir, S_IFDIR)) {
        return -ENOTDIR;
    }
    int e = inode_permission_ids(c, real ? c->uid : c->euid, real ? c->gid : c->egid, dir, MAY_EXEC);
    if (e != 0) {
        return e;
    }
    if (length > LINUX_NAME_MAX) {
        return -ENAMETOOLONG;
    }
    w->p->last = LAST_NAME;
    if (name[0] == '.' && length == 1) {
        w->p->last = LAST_DOT;
        inode_get(dir);
        *next = dir;
        return 0;
    }
    if (name[0] == '.' && name[1] == '.' && length == 2) {
        w->p->last = LAST_DOTDOT;
        *next = parent_of(dir, w->task->fs->root);
        return 0;
    }
    e = dir->ops->lookup(dir, name, length, next);
    if (e == 0) {
        *next = mount_up(*next);
    }
    return e;
}

// The last component has been found, or not: keep it in the result.
static int walk_end(struct walk *w, char *name, size_t length, struct inode *next, int e)
{
    struct path *p = w->p;

    if (e == -ENOENT && (w->flags & WALK_PARENT) != 0) {
        e = 0;
    }
    if (e == 0 && next != NULL && p->slash && !inode_is(next, S_IFDIR)) {
        e = -ENOTDIR;
    }
    name[length] = 0;
    p->name = name;
    p->length = length;
    p->dir = w->cwd;
    p->inode = next;
    w->cwd = NULL;
    return e;
}

static int walk_run(struct walk *w)
{
    struct path *p = w->p;

    for (;;) {
        while (*w->at == '/') {
            w->at++;
        }
        if (*w->at == 0) {                   // "/", or a link that led to an inode at the end
            p->last = LAST_ROOT;
            p->inode = w->cwd;
            p->name = "";
            w->cwd = NULL;
            return p->slash && !inode_is(p->inode, S_IFDIR) ? -ENOTDIR : 0;
        }
        char *name = w->at, *end = name;
        while (*end != 0 && *end != '/') {
            end++;
        }
        w->at = end;
        while (*w->at == '/') {
            w->at++;
        }
        bool final = *w->at == 0;
        if (final && w->at != end) {
            p->slash = true;
        }
        size_t length = (size_t)(end - name);
        struct inode *next;
        int e = walk_find(w, name, length, &next);
        if (e != 0 && !(final && e == -ENOENT)) {
            return e;
        }
        bool follow = !final || (w->flags & WALK_FOLLOW) != 0 || (p->slash && (w->flags & WALK_PARENT) == 0);
        if (next != NULL && inode_is(next, S_IFLNK) && follow) {
            w->at = end;                     // with its slash, to stay apart from the link's text
            e = walk_link(w, next);
            inode_put(next);
            if (e != 0) {
                return e;
            }
            continue;
        }
        if (final) {
            return walk_end(w, name, length, next, e);
        }
        inode_put(w->cwd);
        w->cwd = next;
    }
}

// Walk the text in p->buffer from the directory `start`.
static int path_walk(struct task *t, struct inode *start, unsigned flags, struct path *p)
{
    struct walk w = {.task = t, .p = p, .flags = flags, .at = p->buffer};

    w.cwd = *w.at == '/' ? t->fs->root : start;
    inode_get(w.cwd);
    int e = walk_run(&w);
    if (w.cwd != NULL) {
        inode_put(w.cwd);
    }
    return e;
}

// The directory that a relative name starts from.
static int path_start(struct task *t, int dirfd, struct inode **start)
{
    if (dirfd == AT_FDCWD) {
        *start = t->fs->cwd;
        return 0;
    }
    struct file *f = fd_table_get(t->files, (unsigned)dirfd);
    if (f == NULL) {
        return -EBADF;
    }
    *start = f->inode;
    return 0;
}

int path_user(struct task *t, int dirfd, va_t text, unsigned flags, struct path *p)
{
    struct inode *start = t->fs->root;

    *p = (struct path){.buffer = path_buffer_get()};
    if (p->buffer == NULL) {
        return -ENOMEM;
    }
    long n = ux_copy_string(t, p->buffer, text, LINUX_PATH_MAX);
    if (n < 0) {
        return (int)n;
    }
    if (n == 0 && (flags & WALK_EMPTY) == 0) {
        return -ENOENT;
    }
    if (p->buffer[0] != '/') {
        int e = path_start(t, dirfd, &start);
        if (e != 0) {
            return e;
        }
    }
    if (n == 0) {
        inode_get(start);
        p->inode = start;
        p->last = LAST_ROOT;
        p->name = "";
        return 0;
    }
    if (p->buffer[0] != '/' && !inode_is(start, S_IFDIR)) {
        return -ENOTDIR;
    }
    return path_walk(t, start, flags, p);
}

int path_kernel(struct task *t, const char *text, unsigned flags, struct path *p)
{
    size_t n = strnlen(text, LINUX_PATH_MAX);

    *p = (struct path){0};
    if (n == 0 || n >= LINUX_PATH_MAX) {
        return n == 0 ? -ENOENT : -ENAMETOOLONG;
    }
    p->buffer = path_buffer_get();
    if (p->buffer == NULL) {
        return -ENOMEM;
    }
    memcpy(p->buffer, text, n + 1);
    return path_walk(t, t->fs->cwd, flags, p);
}

int path_may_create(struct task *t, const struct path *p)
{
    if (p->dir->links == 0) {
        return -ENOENT;                      // the directory itself has been removed
    }
    if (p->dir->ops->link == NULL) {
        return -EPERM;
    }
    return inode_permission(&t->creds, p->dir, MAY_WRITE | MAY_EXEC);
}

int path_may_delete(struct task *t, const struct path *p, bool directory)
{
    const struct creds *c = &t->creds;
    int e = inode_permission(c, p->dir, MAY_WRITE | MAY_EXEC);

    if (e != 0) {
        return e;
    }
    if ((p->dir->mode & S_ISVTX) != 0 && !inode_owner(c, p->dir) && !inode_owner(c, p->inode)) {
        return -EPERM;
    }
    if (directory != inode_is(p->inode, S_IFDIR)) {
        return directory ? -ENOTDIR : -EISDIR;
    }
    if (p->dir->ops->unlink == NULL) {
        return -EPERM;
    }
    if (p->inode->fs != p->dir->fs) {
        return -EBUSY;                       // a file system is mounted there
    }
    return 0;
}
