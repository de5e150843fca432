#!/bin/sh
# install.sh FROM ROOT: puts guelab-call into the file system at ROOT, and the demo's commands as names of it.
set -eu
bin=$2/usr/local/bin
mkdir -p "$bin"
cp "$1/guelab-call" "$bin/guelab-call"
chmod 755 "$bin/guelab-call"
for name in \
  pfc_start pfc_stop pfc_flags pfc_add pfc_delete pfc_list \
  port_init port_alloc port_free port_list \
  gue_ping gue_ping_stop egw_setup egw_cleanup pfc_setup pfc_cleanup \
  http_start http_stop udp_serve udp_stop
do
  ln -sf guelab-call "$bin/$name"
  ln -sf guelab-call "$bin/$name.sh"
done
