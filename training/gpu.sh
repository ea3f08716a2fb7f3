#!/bin/sh
# Trains all landmark models on an NVIDIA GPU, one after another. Made for whoever has such a machine for half an hour:
# it needs neither Rust nor a network there.
#
#   training/gpu.sh pack DATA FILE.tar     builds the trainer for CUDA and packs it with the data
#   tar xf FILE.tar && facemark-gpu/gpu.sh train
#
# DATA holds 300w/, imm/ and youtube-faces/training, and if you have them helen256/ and open/, the folders that the models'
# cards name. Every run keeps its checkpoints, curve and report in facemark-gpu/runs. Started again, `train` goes on
# where it ended. The models are in facemark-gpu/models.
#
# To try it without a GPU: FEATURE=tch training/gpu.sh pack …, then facemark-gpu/gpu.sh train --device tch --epochs 2
set -eu

here=$(cd "$(dirname "$0")" && pwd)

pack() {
	feature=${FEATURE:-cuda} data=$(cd "$1" && pwd) file=$2
	(cd "$here/.." && cargo build --release -p facemark-train --no-default-features --features "$feature")
	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
	mkdir "$work/facemark-gpu" "$work/facemark-gpu/models"
	cp "${CARGO_TARGET_DIR:-$here/../target}/release/facemark-train" "$here/gpu.sh" "$work/facemark-gpu"
	cp "$here/../models/large.onnx" "$work/facemark-gpu/models/teacher.onnx"
	cp "$here/../models/compact.onnx" "$here/../models/resnet18.onnx" "$here/../models/large.onnx" \
		"$here/../models/full-face.onnx" "$work/facemark-gpu"
	ln -s "$data" "$work/facemark-gpu/data"
	tar -C "$work" --dereference --exclude=negatives -cf "$file.partial" facemark-gpu
	mv "$file.partial" "$file"
}

# NAME NET EPOCHS "DATA…" "SETTINGS…": trains runs/NAME, or goes on with it, and exports it to models/NAME.onnx.
train() {
	name=$1 net=$2 data=$4 settings="--epochs ${epochs:-$3} $5"
	[ ! -e "models/$name.onnx" ] || return 0
	[ ! -e "runs/$name/last.mpk" ] || settings=--resume
	# shellcheck disable=SC2086 # Each holds several arguments.
	./facemark-train train "$net" --device "$device" --skip-bad $data --out "runs/$name" $settings
	./facemark-train export "runs/$name" -o "models/$name.onnx"
}

# MODEL [NAME OPTIONS]: the labels of all photos as this model sees them, as arguments of `train`; a file each in
# labels/NAME, or labels/MODEL, written by `data label` with these options.
labels() {
	mkdir -p "labels/${2:-$1}"
	for set in 300w helen256/annotated helen256/photos-only youtube-faces/training $(cd data && echo open/*); do
		[ -d "data/$set" ] && [ "$set" != open/masks ] || continue
		table=labels/${2:-$1}/$(echo "$set" | tr / -).csv
		case $set in
		*photos-only) how=--find ;;
		open/*) how="--format open" ;;
		*) how= ;;
		esac
		# shellcheck disable=SC2086
		[ -e "$table" ] || ./facemark-train data label "models/$1.onnx" "data/$set" $how ${3:-} --skip-bad -o "$table" >&2
		printf ' --more %s' "$table"
	done
}

all() {
	device=cuda epochs=
	while [ $# -gt 0 ]; do
		case $1 in
		--device) device=$2 ;;
		--epochs) epochs=$2 ;;
		*) echo "unknown: $1" >&2 && exit 2 ;;
		esac
		shift 2
	done
	cd "$here"
	mkdir -p runs models
	by_hand="--data data/300w"
	[ ! -d data/helen256/annotated ] || by_hand="$by_hand --more data/helen256/annotated"

	train large-a large 60 "$by_hand$(labels teacher)" "--init large.onnx"
	train large large 60 "$by_hand" "--init runs/large-a --lr 3e-4"
	seen=$(labels large)
	train compact-a compact 160 "$by_hand$seen" "--init compact.onnx"
	train compact compact 60 "$by_hand" "--init runs/compact-a --lr 4e-4"
	train resnet18-a resnet18 80 "$by_hand$seen" "--init resnet18.onnx"
	train resnet18 resnet18 40 "$by_hand" "--init runs/resnet18-a --lr 2e-4"
	train resnet18-course resnet18 10 "--data data/300w" "--recipe course"
	seen=$(labels large imm "--as-imm data/imm")
	train full-face-a full-face 60 "--data data/imm$seen" "--init full-face.onnx"
	train full-face full-face 100 "--data data/imm" "--init runs/full-face-a --lr 3e-4"
	train full-face-course full-face 30 "--data data/imm" "--recipe course"
	train nose nose 1000 "--data data/imm" ""
	for name in large compact resnet18 resnet18-course; do
		./facemark-train eval "models/$name.onnx" data/300w/lfpw/testset
	done
}

command=${1:-help}
[ $# -eq 0 ] || shift
case $command in
pack) pack "$@" ;;
train) all "$@" ;;
*) sed -n '2,/^set/s/^# \{0,1\}//p' "$0" ;;
esac
