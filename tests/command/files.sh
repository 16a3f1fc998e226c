# files.sh - files of the host in the boot image: --add of a file and a folder, --rootfs.
# test: timeout=120
mkdir -p tree/sub
echo one > tree/a
echo two > tree/sub/b
ln -s sub/b tree/link
chmod 700 tree/sub
head -c 100000 /dev/urandom > large
"$QUOIN" run --timeout 60 --add tree --add large:/data/big --add tree/a:/etc/ -- \
    sh -c 'cat /tree/a /tree/link /etc/a; stat -c %a /tree/sub /tmp; cat /data/big | sha256sum' < /dev/null > out
[[ $(head -5 out | tr '\n' ' ') == 'one two one 700 1777 ' ]] || { cat out; exit 1; }
[[ $(tail -1 out) == "$(sha256sum < large)" ]]

# A later file replaces an earlier one of the same name.
echo replaced > passwd
"$QUOIN" run --timeout 60 --add passwd:/etc/passwd -- cat /etc/passwd < /dev/null > out
[[ $(cat out) == replaced ]]

# Another root: nothing of ours is in it but the folders that the emulator needs.
mkdir -p new/bin
cp /bin/busybox new/bin/busybox
"$QUOIN" run --timeout 60 --rootfs new -- /bin/busybox ls / < /dev/null > out
[[ $(tr '\n' ' ' < out) == 'bin dev proc tmp ' ]] || { cat out; exit 1; }
