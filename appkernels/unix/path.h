// path.h - from names to inodes.
#pragma once
#include "inode.h"

enum path_last { LAST_NAME, LAST_DOT, LAST_DOTDOT, LAST_ROOT };
enum {
    WALK_FOLLOW = 1,                     // a symbolic link as the last component is followed
    WALK_PARENT = 2,                     // the last component need not exist: inode may come back NULL
    WALK_EMPTY  = 4,                     // "" names what the descriptor is open on
    WALK_REAL   = 8,                     // search permission by the real ids, for access()
};

// A look-up and what it found; path_put() gives everything back, also after an error.
struct path {
    char         *buffer;                // LINUX_PATH_MAX bytes
    struct inode *dir;                   // a user; the directory of the last component (not for LAST_ROOT)
    struct inode *inode;                 // a user; NULL: does not exist
    const char   *name;                  // in buffer, NUL-terminated
    size_t        length;
    enum path_last last;
    bool          slash;                 // slashes at the end: only a directory will do
};

int  path_user(struct task *t, int dirfd, va_t text, unsigned walk, struct path *p);
int  path_kernel(struct task *t, const char *text, unsigned walk, struct path *p);
void path_put(struct path *p);
char *path_buffer_get(void);             // NULL: no memory
void path_buffer_put(char *buffer);
int  path_may_create(struct task *t, const struct path *p);              // a new name in p->dir
int  path_may_delete(struct task *t, const struct path *p, bool directory);
