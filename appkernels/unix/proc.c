// proc.c - /proc: its tree.  What the files say is in proc_text.c.
//
// Nothing of it exists until it is looked up: an inode is made by the look-up from a kind and a process number, and
// is gone with its last user.  The process is looked for again at every use: it may have ended (-ESRCH).
// A text is made when a file is read from the start, and stays with the open file, so that a reader who comes
// back for more sees one state.
#include <base.h>

#include "file.h"
#include "proc.h"

static struct fs proc_fs;
static const struct proc_kind root_kind, process_kind, fd_entry_kind, kernel_kind;
enum { PROCESS_CHILDREN = 10, ROOT_CHILDREN = 8 };
static const struct proc_kind process_children[PROCESS_CHILDREN], root_children[ROOT_CHILDREN];

// ---- links ------------------------------------------------------------------------------------------------

static long self_link(struct task *t, struct task *of, struct inode *i, char *to, size_t size)
{
    (void)of, (void)i;
    return base_format(to, size, "%d", t->tgid);
}

static long mounts_link(struct task *t, struct task *of, struct inode *i, char *to, size_t size)
{
    (void)t, (void)of, (void)i;
    return base_format(to, size, "self/mounts");
}

// Whose working directory and files one may see: one's own, and root everybody's.
static bool may_look(const struct task *t, const struct task *of)
{
    return t->creds.euid == 0 || t->tgid == of->tgid || t->creds.euid == of->creds.euid;
}

static int inode_of(struct task *of, const struct inode *i, struct inode **out)
{
    const char *name = i->proc.kind->name;
    struct inode *target = NULL;

    if (i->proc.kind == &fd_entry_kind) {
        struct file *f = of->files != NULL ? fd_table_get(of->files, (unsigned)i->proc.fd) : NULL;
        target = f != NULL ? f->inode : NULL;
    } else if (name[0] == 'e') {
        target = of->exe;
    } else if (of->fs != NULL) {
        target = name[0] == 'c' ? of->fs->cwd : of->fs->root;
    }
    if (target == NULL) {
        return -ENOENT;
    }
    inode_get(target);
    *out = target;
    return 0;
}

static int process_follow(struct task *t, struct task *of, struct inode *i, struct inode **out)
{
    return may_look(t, of) ? inode_of(of, i, out) : -EACCES;
}

static long process_link(struct task *t, struct task *of, struct inode *i, char *to, size_t size)
{
    static const char deleted[] = " (deleted)";
    struct inode *target;
    char *start;
    long e = may_look(t, of) ? inode_of(of, i, &target) : -EACCES;

    if (e != 0) {
        return e;
    }
    if (target->fs == pipefs()) {
        e = base_format(to, size, "pipe:[%lu]", target->number);
    } else if (fs_path_of(target, t->fs->root, to, size - sizeof(deleted), &start) == 0) {
        e = (long)strlen(start);
        memmove(to, start, (size_t)e);
        if (target->links == 0 && !target->fs->transient) {
            memcpy(to + e, deleted, sizeof(deleted) - 1);
            e += (long)sizeof(deleted) - 1;
        }
    } else {
        e = base_format(to, size, "(unreachable)");
    }
    inode_put(target);
    return e;
}

// ---- the kinds --------------------------------------------------------------------------------------------

#define COUNT(table) (sizeof(table) / sizeof(table[0]))
#define TEXT(n, fn, parent) {.name = n, .mode = S_IFREG | 0444, .up = parent, .text = fn}
#define OWN_TEXT(n, fn) {.name = n, .mode = S_IFREG | 0444, .of_process = true, .text = fn}
#define OWN_LINK(n) {.name = n, .mode = S_IFLNK | 0777, .of_process = true, .link = process_link, \
                     .follow = process_follow}

static const struct proc_kind fd_entry_kind = {
    .name = "", .mode = S_IFLNK | 0700, .up = &process_children[0], .of_process = true, .link = process_link,
    .follow = process_follow,
};
static const struct proc_kind process_children[PROCESS_CHILDREN] = {
    {.name = "fd", .mode = S_IFDIR | 0500, .of_process = true, .descriptors = true},
    OWN_TEXT("stat", proc_stat), OWN_TEXT("status", proc_status), OWN_TEXT("cmdline", proc_cmdline),
    OWN_TEXT("comm", proc_comm), OWN_TEXT("mounts", proc_mounts), OWN_TEXT("maps", proc_maps),
    OWN_LINK("exe"), OWN_LINK("cwd"), OWN_LINK("root"),
};
static const struct proc_kind process_kind = {
    .name = "", .mode = S_IFDIR | 0555, .children = process_children, .count = COUNT(process_children),
    .of_process = true,
};

static const struct proc_kind kernel_children[] = {
    TEXT("hostname", proc_hostname, &kernel_kind), TEXT("ostype", proc_ostype, &kernel_kind),
    TEXT("osrelease", proc_osrelease, &kernel_kind), TEXT("version", proc_osversion, &kernel_kind),
};
static const struct proc_kind kernel_kind = {
    .name = "kernel", .mode = S_IFDIR | 0555, .up = &root_children[0], .children = kernel_children,
    .count = COUNT(kernel_children),
};
static const struct proc_kind root_children[ROOT_CHILDREN] = {
    {.name = "sys", .mode = S_IFDIR | 0555, .up = &root_kind, .children = &kernel_kind, .count = 1},
    {.name = "self", .mode = S_IFLNK | 0777, .up = &root_kind, .link = self_link},
    {.name = "mounts", .mode = S_IFLNK | 0777, .up = &root_kind, .link = mounts_link},
    TEXT("meminfo", proc_meminfo, &root_kind), TEXT("uptime", proc_uptime, &root_kind),
    TEXT("cpuinfo", proc_cpuinfo, &root_kind), TEXT("version", proc_version, &root_kind),
    TEXT("filesystems", proc_filesystems, &root_kind),
};
static const struct proc_kind root_kind = {
    .name = "", .mode = S_IFDIR | 0555, .children = root_children, .count = COUNT(root_children), .processes = true,
};

// ---- inodes -----------------------------------------------------------------------------------------------

static uint64_t number_of(const struct proc_kind *kind, int pid, int fd)
{
    uint64_t which = (uint64_t)kind / sizeof(void *) & 0xfffff;      // kinds differ by their address

    return kind == &root_kind ? 1 : (uint64_t)(unsigned)pid << 32 | (uint64_t)(unsigned)fd << 20 | which;
}

static struct inode *proc_inode(const struct proc_kind *kind, int pid, int fd)
{
    struct inode *i = inode_create(&proc_fs, &procfs_ops, kind->mode);

    if (i == NULL) {
        return NULL;
    }
    i->proc = (struct proc_data){.kind = kind, .pid = pid, .fd = fd};
    i->number = number_of(kind, pid, fd);
    i->links = inode_is(i, S_IFDIR) ? 2 : 1;
    struct task *of = kind->of_process ? ux_task_find(pid) : NULL;
    if (of != NULL) {
        i->uid = of->creds.euid;
        i->gid = of->creds.egid;
    }
    return i;
}

static int find_process(struct inode *i, struct task **of)
{
    *of = i->proc.kind->of_process ? ux_task_find(i->proc.pid) : NULL;
    return i->proc.kind->of_process && *of == NULL ? -ESRCH : 0;
}

static int give(const struct proc_kind *kind, int pid, int fd, struct inode **out)
{
    *out = proc_inode(kind, pid, fd);
    return *out != NULL ? 0 : -ENOMEM;
}

// A name that is a number without leading zeros.
static bool name_number(const char *name, size_t length, int *value)
{
    uint64_t n = 0;

    if (length == 0 || length > 9 || (name[0] == '0' && length > 1)) {
        return false;
    }
    for (size_t k = 0; k < length; k++) {
        if (name[k] < '0' || name[k] > '9') {
            return false;
        }
        n = n * 10 + (uint64_t)(name[k] - '0');
    }
    *value = (int)n;
    return true;
}

static int proc_lookup(struct inode *dir, const char *name, size_t length, struct inode **out)
{
    const struct proc_kind *kind = dir->proc.kind;
    int number;

    for (unsigned k = 0; k < kind->count; k++) {
        const char *child = kind->children[k].name;
        if (strlen(child) == length && memcmp(child, name, length) == 0) {
            return give(&kind->children[k], dir->proc.pid, 0, out);
        }
    }
    if (!name_number(name, length, &number)) {
        return -ENOENT;
    }
    if (kind->processes && number > 0 && ux_task_find(number) != NULL) {
        return give(&process_kind, number, 0, out);
    }
    if (kind->descriptors) {
        struct task *of = ux_task_find(dir->proc.pid);
        if (of != NULL && of->files != NULL && fd_table_get(of->files, (unsigned)number) != NULL) {
            return give(&fd_entry_kind, dir->proc.pid, number, out);
        }
    }
    return -ENOENT;
}

static struct inode *proc_parent(struct inode *i)
{
    const struct proc_kind *kind = i->proc.kind, *up = kind->up;
    struct inode *parent = proc_fs.root;

    if (up == NULL && kind->of_process && kind != &process_kind) {
        up = &process_kind;
    }
    if (up != NULL && up != &root_kind) {
        struct inode *made = proc_inode(up, i->proc.pid, 0);
        if (made != NULL) {
            return made;
        }
    }
    inode_get(parent);
    return parent;
}

static size_t proc_name(struct inode *i, char *to, size_t size)
{
    const struct proc_kind *kind = i->proc.kind;

    if (kind == &process_kind || kind == &fd_entry_kind) {
        return (size_t)base_format(to, size, "%d", kind == &process_kind ? i->proc.pid : i->proc.fd);
    }
    return (size_t)base_format(to, size, "%s", kind->name);
}

static int emit_number(dir_emit emit, void *arg, const struct proc_kind *kind, int pid, int fd, uint64_t next)
{
    char name[12];
    int n = base_format(name, sizeof(name), "%d", kind == &process_kind ? pid : fd);

    return emit(arg, name, (size_t)n, number_of(kind, pid, fd), linux_dirent_type(kind->mode), next);
}

// Positions: 0 and 1 are "." and "..", then the children, and from FIRST_NUMBER on what has numbers.
enum { FIRST_NUMBER = 256 };

static int proc_readdir(struct task *t, struct inode *dir, uint64_t position, dir_emit emit, void *arg)
{
    const struct proc_kind *kind = dir->proc.kind;

    (void)t;
    for (; position < kind->count + 2; position++) {
        const struct proc_kind *child = position < 2 ? kind : &kind->children[position - 2];
        const char *name = position == 0 ? "." : position == 1 ? ".." : child->name;
        if (emit(arg, name, strlen(name), number_of(child, dir->proc.pid, 0), linux_dirent_type(child->mode),
                 position + 1) != 0) {
            return 0;
        }
    }
    uint64_t from = position > FIRST_NUMBER ? position - FIRST_NUMBER : 0;
    for (struct task *of = kind->processes ? ux_task_next(NULL) : NULL; of != NULL; of = ux_task_next(of)) {
        if ((uint64_t)of->tid >= from
            && emit_number(emit, arg, &process_kind, of->tid, 0, FIRST_NUMBER + (uint64_t)of->tid + 1) != 0) {
            return 0;
        }
    }
    struct task *of = kind->descriptors ? ux_task_find(dir->proc.pid) : NULL;
    struct fd_table *files = of != NULL ? of->files : NULL;
    for (uint64_t fd = from; files != NULL && fd < files->size; fd++) {
        if (files->entry[fd].file != NULL
            && emit_number(emit, arg, &fd_entry_kind, of->tid, (int)fd, FIRST_NUMBER + fd + 1) != 0) {
            return 0;
        }
    }
    return 0;
}

static long proc_readlink(struct task *t, struct inode *i, char *to, size_t size)
{
    struct task *of;
    long e = find_process(i, &of);

    return e != 0 ? -ENOENT : i->proc.kind->link(t, of, i, to, size);
}

// -EINVAL: this link is followed by its text.
static int proc_follow(struct task *t, struct inode *i, struct inode **out)
{
    struct task *of;

    if (i->proc.kind->follow == NULL) {
        return -EINVAL;
    }
    return find_process(i, &of) != 0 ? -ENOENT : i->proc.kind->follow(t, of, i, out);
}

static struct inode *proc_destroy(struct inode *i)
{
    inode_free(i);
    return NULL;
}

// ---- reading ----------------------------------------------------------------------------------------------

enum { TEXT_FIRST = 2048, TEXT_MOST = 256 * 1024 };

static void text_drop(struct file *f)
{
    struct text *x = f->private;

    if (x != NULL) {
        big_free(x->bytes, x->size);
        ak_free(x, sizeof(*x));
        f->private = NULL;
    }
}

// Make the text anew, in as much memory as it wants.
static int text_make(struct task *t, struct file *f)
{
    struct task *of;
    struct text *x = ak_alloc(sizeof(*x));
    int e = find_process(f->inode, &of);

    if (x == NULL) {
        return -ENOMEM;
    }
    for (size_t size = TEXT_FIRST; e == 0; size *= 2) {
        *x = (struct text){.bytes = big_alloc(size), .size = size};
        if (x->bytes == NULL) {
            e = -ENOMEM;
            break;
        }
        e = f->inode->proc.kind->text(t, of, x);
        // A text that just fits may have been cut off.
        if (e == 0 && (x->length + 1 < size || size >= TEXT_MOST)) {
            x->length = x->length < size ? x->length : size;
            text_drop(f);
            f->private = x;
            return 0;
        }
        big_free(x->bytes, size);
    }
    ak_free(x, sizeof(*x));
    return e;
}

static long proc_read(struct task *t, struct file *f, struct xfer *x, size_t n, uint64_t *position)
{
    if (*position == 0 || f->private == NULL) {
        int e = text_make(t, f);
        if (e != 0) {
            return e;
        }
    }
    const struct text *text = f->private;
    if (*position >= text->length) {
        return 0;
    }
    n = n < text->length - *position ? n : text->length - *position;
    int e = xfer_out(x, text->bytes + *position, n);
    if (e != 0) {
        return e;
    }
    *position += n;
    return (long)n;
}

static const struct file_ops text_ops = {.read = proc_read, .close = text_drop, .seekable = true};

static int proc_open(struct task *t, struct inode *i, struct file *f)
{
    (void)t;
    if (f->writable) {
        return -EACCES;
    }
    f->ops = inode_is(i, S_IFDIR) ? &directory_ops : &text_ops;
    return 0;
}

const struct inode_ops procfs_ops = {
    .lookup = proc_lookup,
    .readdir = proc_readdir,
    .parent = proc_parent,
    .name = proc_name,
    .readlink = proc_readlink,
    .follow = proc_follow,
    .open = proc_open,
    .destroy = proc_destroy,
};

void proc_init(struct inode *on)
{
    proc_fs = (struct fs){.type = "proc", .source = "proc", .dev = fs_next_dev(), .magic = PROC_SUPER_MAGIC,
                          .transient = true};
    proc_fs.root = proc_inode(&root_kind, 0, 0);
    if (proc_fs.root == NULL) {
        ak_panic("no memory for /proc");
    }
    fs_mount(&proc_fs, on);
}
