#!/usr/bin/env bash
# From nothing to a pre-trained, fine-tuned, tracked and exported network, on phantom data. About eight minutes on two cores.
# Started again, it reuses everything that is finished and resumes what is not.
set -euo pipefail
source "$(dirname "$0")/environment.sh"
prepare_environment
SECONDS=0 # installation apart

phantom=data/phantom
ace=runs/cxr_ace/quickstart
segmentation=runs/image_segmentation/quickstart
draws="0 1 2" # of the labelled images

step() { printf '\n=== %s\n' "$1"; }

# Three trainings from one start, each from other labelled images, and their Dice on test images.
fine_tune() { # finetuned or scratch
  local start=$1 load_weights draw run
  load_weights=$([ "$start" = finetuned ] && echo True || echo False)
  for draw in $draws; do
    run=$segmentation-$start$draw
    python -m common run image_segmentation data/phantom small few_labels --run_name "quickstart-$start$draw" \
      --dataset_dir "$phantom" --encoder_file "$ace/encoder.safetensors" --load_weights "$load_weights" \
      --seed "$draw" --label_seed "$draw" --steps 60 --val_interval 10 --decoder_channels 32
    if [ ! "$run/evaluation.json" -nt "$run/model.pt" ]; then
      python -m common evaluate "$run"
    fi
  done
}

step "1/5 Phantom radiographs in $phantom"
if [ ! -f "$phantom/test_list.txt" ]; then
  python scripts/make_phantom.py "$phantom" --count 300 --size 128 --seed 0 --workers 2
fi

step "2/5 ACE pre-training on them, without labels"
python -m common run cxr_ace small --dataset_dir "$phantom" --probe_dir "$phantom" --run_name quickstart --steps 160 --val_interval 8

step "3/5 Segmentation from 12 labelled images, three times from the ACE encoder and three times from scratch"
mkdir -p runs/logs
export OMP_NUM_THREADS=$((($(nproc) + 1) / 2)) # both starts side by side
set -m # a group of its own, so that its trainings end with this script
fine_tune scratch > runs/logs/quickstart-scratch.log 2>&1 &
scratch=$!
set +m
trap 'kill -- "-$scratch" 2> /dev/null || true' EXIT
echo "Those from scratch say what they do in runs/logs/quickstart-scratch.log."
fine_tune finetuned
wait "$scratch" || { tail -n 20 runs/logs/quickstart-scratch.log; exit 1; }
unset OMP_NUM_THREADS

step "4/5 Export"
if [ ! exported/lung_segmentation/checksums.sha256 -nt "$segmentation-finetuned0/model.pt" ]; then
  rm -rf exported/lung_segmentation
  python -m common export "$segmentation-finetuned0" --out exported/lung_segmentation
fi

step "5/5 Results after $((SECONDS / 60)) min $((SECONDS % 60)) s"
python scripts/quickstart_summary.py
