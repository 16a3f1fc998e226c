# tools.sh - busybox's tools on made-up data: find grep sed awk sort tar gzip and many more, alone and in pipes.
# test: smp=1,4 cache=default,tiny timeout=180
set -u
umask 022
cd "$(mktemp -d ./workXXXXXX)" || exit 1

echo "== data"
seq 1 2000 | awk '{ printf "%d %s %d\n", $1, "name" ($1 * 7919 % 1000), $1 * $1 % 997 }' > data
wc data; md5sum data; sha256sum data

echo "== filters"
head -n 3 data; tail -n 2 data; sed -n '100,102p' data
grep -c 'name1' data; grep -n '^7 ' data; grep -v 1 data | wc -l; grep -E '(11|22)$' data | head -n 4
sort -k3,3n -k1,1nr data | head -n 5; sort -k2 data | md5sum; sort -u -k3,3n data | wc -l
cut -d' ' -f2 data | sort | uniq -c | sort -rn -k1,1 -k2,2 | head -n 3
awk '{ s += $3; if ($3 > m) m = $3 } END { print NR, s, m, s / NR }' data
awk 'BEGIN { for (i = 0; i < 5; i++) a[i] = i * i; for (i = 4; i >= 0; i--) printf "%d ", a[i]; print length("abc"), substr("hello", 2, 3), toupper("x") }'
sed 's/name\([0-9]*\)/<\1>/; s/ /,/g' data | tail -n 2
sed -e '1,1995d' -e '/1997/s/^/> /' data; echo "a/b/c" | sed 's,/,|,g'
tr 'a-z' 'A-Z' < data | tail -n 1; tr -d '0-9' < data | sort | uniq -c | awk '{ print $1, $2 }'
rev data | head -n 1; tac data | head -n 1; nl data | tail -n 1 | tr -s ' \t' ' '
paste -d: data data | tail -n 1; fold -w 20 data | wc -l; expand data | wc -c
od -A d -t x1 data | head -n 2; hexdump -C data | head -n 1; xxd data | head -n 1
head -c 100 data | wc -c; dd if=data of=part bs=1 skip=10 count=50 2> /dev/null; cat part; echo
dd if=/dev/zero bs=1k count=100 2> /dev/null | wc -c; dd if=/dev/zero bs=4096 count=10 2> /dev/null | md5sum
sort data > s; sed 5d s > t; diff s t; cmp data data && echo same; diff -q s t
expr 3 + 4 \* 2; expr length hello; expr hello : 'he\(.*\)'; basename /a/b.c .c; dirname /a/b/c
factor 1234567 | head -n 1; seq -s, 1 10; seq 10 -3 1 | tr '\n' ' '; echo; yes | head -n 3
echo 'one two three' | xargs -n 1 echo item; seq 1 100 | xargs echo | wc -w; printf 'a\0b\0' | xargs -0 -n1 echo
echo hello | tee copy1 copy2 | cat; cat copy1 copy2
base64 data | head -n 1; base64 data | base64 -d | cmp - data && echo base64
echo 'uuencode' | uuencode x | head -n 2 | tail -n 1

echo "== trees"
mkdir -p tree/a/b/c tree/d; for i in 1 2 3 4 5; do echo $i > tree/a/f$i; echo $i$i > tree/a/b/g$i.txt; done
ln -s ../a/f1 tree/d/link; ln tree/a/f2 tree/d/hard; chmod 700 tree/d; chmod u+s tree/a/f3
find tree | sort; find tree -name '*.txt' | wc -l; find tree -type l; find tree -perm -4000; find tree -links 2 -type f | sort
find tree -name 'g?.txt' -exec cat {} \; | sort -n | tail -n 1; find tree -size +0 -type f | wc -l
ls -l tree/a/b | awk 'NR > 1 { print $1, $2, $1 ~ /^d/ ? "-" : $5, $9 }'; ls -R tree | md5sum; ls -a tree | tr '\n' ' '; echo
stat -c '%a %s %h %F' tree/a/f1 tree/d/link; stat -c '%a %h %F' tree/d; readlink tree/d/link; realpath tree/d/link | sed 's,.*/tree/,,'
du -a tree > /dev/null && echo du; test tree/a/f2 -ef tree/d/hard && echo same file
cp -r tree copy; diff -r tree copy && echo copied; cp -a tree/d/link lnk; readlink lnk
mv copy moved; ls moved; mv moved/a/f1 moved/d; ls moved/d; rm -r moved/a; ls moved; rmdir moved 2> /dev/null || echo full; rm -rf moved

echo "== archives"
tar cf t.tar tree; tar tf t.tar | sort | md5sum; mkdir out; tar xf t.tar -C out; diff -r tree out/tree && echo tar
stat -c '%a' out/tree/d out/tree/a/f3; readlink out/tree/d/link
gzip -c data > data.gz; gunzip -c data.gz | cmp - data && echo gzip
bzip2 -c data | bunzip2 -c | cmp - data && echo bzip2; xz -dc < /dev/null > /dev/null 2>&1; echo "xz $?"
tar czf t.tgz tree && tar tzf t.tgz | wc -l; (cd tree && find . | sort | cpio -o -H newc 2> /dev/null) | cpio -t 2> /dev/null | wc -l
cat data data data data data data data data | gzip -c | gunzip -c | md5sum

echo "== big pipe"
i=0; while [ $i -lt 20 ]; do cat data; i=$((i + 1)); done | sort | uniq | sed 's/ /\n/g' | awk '{ n += length($0) } END { print n }'
seq 1 50000 | sed 's/1/one/' | grep one | tr -d '\n' | wc -c

echo "== system"
id -u; whoami; pwd | grep -c work; env -i A=1 sh -c 'echo $A'; uname -s; uname -m; date -d @0 -u '+%Y-%m-%d %H:%M:%S'
true; echo $?; nice true; echo $?; timeout 1 sleep 10; echo $?; which sh > /dev/null && echo which
ps > /dev/null && echo ps; free > /dev/null && echo free; uptime > /dev/null && echo uptime; df / > /dev/null && echo df
mkfifo ff; (echo through fifo > ff) & cat ff; wait; mknod nn p && test -p nn && echo node
install -m 755 data inst && stat -c %a inst; touch -d '2001-02-03 04:05:06' old; stat -c %Y old > /dev/null && date -r old +%Y
truncate -s 1000 sparse; wc -c < sparse; fallocate -l 2000 sparse 2> /dev/null; sync; echo synced
