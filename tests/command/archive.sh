# archive.sh - the boot archive is an ordinary cpio archive, repeatable, and larger files begin on a page in it.
mkdir -p tree/deep/er
head -c 4096 /dev/urandom > tree/page
head -c 4097 /dev/urandom > tree/over
head -c 1000000 /dev/urandom > tree/deep/large
touch tree/empty
ln -s ../page tree/deep/link
chmod 640 tree/over
pack() {
    "$TOOLS/image" archive "$1" --build "$BUILD" --rootfs tree --add /bin/busybox:/x/y/z -- program 'an argument'
}
pack a
pack b
cmp a b
mkdir out
(cd out && busybox cpio -id < ../a 2>/dev/null)
for file in page over deep/large empty; do
    cmp "tree/$file" "out/root/$file"
done
[[ $(readlink out/root/deep/link) == ../page && $(stat -c %a out/root/over) == 640 ]]
cmp /bin/busybox out/root/x/y/z
[[ -d out/root/dev && -d out/root/proc && ! -e out/root/bin ]]
tr '\0' '\n' < out/boot/run | grep -qx 'an argument'

python3 - <<'TEXT'
data = open('a', 'rb').read()
assert len(data) % 4096 == 0
at, aligned = 0, 0
while at < len(data):
    if data[at:at + 6] != b'070701':
        at += 4
        continue
    size, name = int(data[at + 54:at + 62], 16), int(data[at + 94:at + 102], 16)
    start = at + 110 + name + 3 & ~3
    if size > 4096:
        assert start % 4096 == 0, data[at + 110:at + 140]
        aligned += 1
    at = start + size + 3 & ~3
assert aligned >= 3
TEXT
