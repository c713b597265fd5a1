#!/usr/bin/env bash
#SBATCH --job-name=anyir
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=4
#SBATCH --gpus-per-node=4
#SBATCH --cpus-per-task=8
#SBATCH --time=24:00:00
# One run on several machines of a SLURM cluster, one task for each card:
#
#   sbatch slurm.sh --config 3deg --data DATASETS --out RUN
#   sbatch --nodes=4 slurm.sh --config 3deg --data DATASETS --out RUN
#
# Submitted again when its time was too short, it goes on where it was. RUN and the data must be on a disk that all
# machines see. A task that fails ends the others, which would wait for it.
set -euo pipefail
resume=()
for ((i = 1; i < $#; i++)); do
    next=$((i + 1))
    if [ "${!i}" = --out ] && [ -f "${!next}/state.ckpt" ]; then resume=(--resume); fi
done
exec srun --kill-on-bad-exit=1 "${PYTHON:-python}" -m napari_anyir train "$@" "${resume[@]}" \
    --devices "${SLURM_NTASKS_PER_NODE:-1}" --nodes "${SLURM_JOB_NUM_NODES:?start it with sbatch}"
