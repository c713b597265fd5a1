#!/usr/bin/env bash
# One run on several machines without a queue: the same command on each of them, but for NODE.
#
#   HEAD=10.0.0.1 NODES=2 NODE=0 DEVICES=4 bash torchrun.sh --config 3deg --data DATASETS --out RUN
#   HEAD=10.0.0.1 NODES=2 NODE=1 DEVICES=4 bash torchrun.sh --config 3deg --data DATASETS --out RUN
#
# HEAD is the machine with NODE=0, as the others reach it (PORT, 29500 by default, must be free there); DEVICES the
# cards of each. RUN and the data must have the same names on all. After a break add --resume.
set -euo pipefail
: "${HEAD:?name the first machine}" "${NODES:?say how many machines}" "${NODE:?number this machine, from 0}"
devices=${DEVICES:-1}
exec "${PYTHON:-python}" -m torch.distributed.run \
    --nnodes "$NODES" --node-rank "$NODE" --nproc-per-node "$devices" \
    --master-addr "$HEAD" --master-port "${PORT:-29500}" \
    -m napari_anyir train "$@" --devices "$devices" --nodes "$NODES"
