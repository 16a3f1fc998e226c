// permissions.c - who may do what: modes, owners, umask, sticky directories, set-user-id bits, identities.
// test: smp=1 cache=default,tiny
//
// Needs the superuser's identity at its start; the children drop it.
#include "show.h"
#include <grp.h>
#include <sys/mount.h>

static void become(uid_t uid, gid_t gid)
{
    if (setgroups(0, NULL) < 0 || setgid(gid) < 0 || setuid(uid) < 0) {
        say("cannot become %d: %s", (int)uid, error_name(errno));
    }
}

static void modes(void)
{
    struct stat st;
    static const mode_t masks[] = {0, 022, 077, 0777};
    for (int i = 0; i < 4; i++) {
        umask(masks[i]);
        close(open("masked", O_CREAT | O_WRONLY, 0666));
        mkdir("maskdir", 0777);
        stat("masked", &st);
        say("umask %03o: file %o", masks[i], st.st_mode);
        stat("maskdir", &st);
        say("umask %03o: directory %o", masks[i], st.st_mode);
        unlink("masked");
        rmdir("maskdir");
    }
    umask(022);
    say("old umask %o", umask(022));
    file_put("m", "x");
    show(chmod("m", 04755));
    stat("m", &st);
    say("mode %o", st.st_mode);
    int fd = open("m", O_RDWR);
    show(fchmod(fd, 0600));
    stat("m", &st);
    say("mode %o", st.st_mode);
    show(chmod("nothing", 0600));
    show(fchmod(-1, 0600));
    show(chown("m", 1000, 1000));
    show(chown("m", (uid_t)-1, 1001));
    stat("m", &st);
    say("owner %d %d", (int)st.st_uid, (int)st.st_gid);
}

static void stranger(void)
{
    become(1000, 1000);
    char b[4];
    show(open("private", O_RDONLY));
    show(open("private", O_WRONLY));
    okay(open("public", O_RDONLY));
    show(open("public", O_WRONLY));
    show(open("new", O_CREAT | O_WRONLY, 0600));
    show(unlink("public"));
    show(rename("public", "other"));
    show(mkdir("sub", 0755));
    show(access("private", R_OK));
    show(access("private", F_OK));
    show(access("public", R_OK));
    show(access("public", X_OK));
    show(open("closed/file", O_RDONLY));
    show(chdir("closed"));
    okay(open("search/file", O_RDONLY));
    show(open("search", O_RDONLY));
    show(chmod("public", 0666));
    show(chown("public", 1000, 1000));
    show(truncate("public", 0));
    okay(open("group", O_RDONLY));
    show(open("group", O_WRONLY));
    okay(open("sticky/mine", O_CREAT | O_WRONLY, 0666));
    show(unlink("sticky/theirs"));
    show(rename("sticky/theirs", "sticky/taken"));
    show(unlink("sticky/mine"));
    show(execl("public", "public", (char *)NULL));
    show(execl("open", "open", (char *)NULL));
    show(readlink("closed/link", b, 4));
    show(kill(1, SIGTERM));
    show(setuid(0));
    show(setgid(0));
    show(setgroups(0, NULL));
    show(chroot("/"));
    show(mount("none", "/tmp", "tmpfs", 0, NULL));
    truth(getuid() == 1000 && geteuid() == 1000 && getgid() == 1000);
    struct timespec t[2] = {{1, 0}, {1, 0}};
    show(utimensat(AT_FDCWD, "public", t, 0));
    show(utimensat(AT_FDCWD, "private", NULL, 0));
    show(mknod("open/dev", S_IFCHR | 0600, 0x103));
    okay(mknod("open/fifo", S_IFIFO | 0600, 0));
}

static void owner(void)
{
    become(1000, 1000);
    // The owner's bits count for the owner, also when others have more.
    show(open("owned", O_RDONLY));
    show(chmod("owned", 0600));
    okay(open("owned", O_RDWR));
    show(chown("owned", 0, (gid_t)-1));
    show(chown("owned", (uid_t)-1, 1000));
    struct stat st;
    stat("owned", &st);
    say("mode %o", st.st_mode);
}

static void supplementary(void)
{
    gid_t groups[2] = {2000, 3000};
    show(setgroups(2, groups));
    show(setgid(1000));
    show(setuid(1000));
    gid_t back[4] = {0};
    show(getgroups(0, NULL));
    show(getgroups(4, back));
    say("%d %d", (int)back[0], (int)back[1]);
    show(getgroups(1, back));
    okay(open("group2", O_RDWR));
    show(open("private", O_RDONLY));
}

static void identities(void)
{
    show(setresuid(1, 2, 3));
    uid_t r, e, s;
    show(getresuid(&r, &e, &s));
    say("%d %d %d", (int)r, (int)e, (int)s);
    show(setuid(3));
    getresuid(&r, &e, &s);
    say("%d %d %d", (int)r, (int)e, (int)s);
    show(setuid(2));
    show(setreuid((uid_t)-1, 1));
    getresuid(&r, &e, &s);
    say("%d %d %d", (int)r, (int)e, (int)s);
    show(setresuid(0, (uid_t)-1, (uid_t)-1));
}

int main(void)
{
    if (getuid() != 0) {
        say("not the superuser");
        return 0;
    }
    scratch_enter();
    chmod(".", 0755);
    file_put("private", "secret");
    chmod("private", 0600);
    file_put("public", "text");
    file_put("group", "text");
    chmod("group", 0640);
    (void)!chown("group", 0, 1000);
    file_put("group2", "text");
    chmod("group2", 0660);
    (void)!chown("group2", 0, 3000);
    file_put("owned", "text");
    chmod("owned", 0066);
    (void)!chown("owned", 1000, 1000);
    mkdir("closed", 0700);
    file_put("closed/file", "x");
    symlink("file", "closed/link");
    mkdir("search", 0711);
    file_put("search/file", "x");
    mkdir("open", 0777);
    chmod("open", 0777);
    mkdir("sticky", 01777);
    chmod("sticky", 01777);
    file_put("sticky/theirs", "x");
    in_child("modes", modes);
    in_child("stranger", stranger);
    in_child("owner", owner);
    in_child("supplementary", supplementary);
    in_child("identities", identities);
    // The superuser may.
    okay(open("closed/file", O_RDWR));
    show(access("private", X_OK));
    show(unlink("sticky/theirs"));
    return 0;
}
