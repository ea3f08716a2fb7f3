# make demo   sets the system up, builds, annotates the clip in media/ and says where the result lies
# make test   sets the system up and runs all tests
# make lint   formatting and lints, as CI wants them
# make bench  the table of the README
# make steadiness  how still the landmarks stand and how far they lag (CLIP=media/talker.mp4)
# make matrix the table of docs/fidelity.md: every row of tests/fidelity as often as it says there
# make soak   two hours of a paced loop (SECONDS=7200)
# make fuzz   mutated models and videos, each kind as long as wanted (SECONDS=600)

# What Debian 12 and Ubuntu 24.04 call the libraries we build against; ffmpeg makes the tests' videos.
PACKAGES = libopencv-dev clang libclang-dev pkg-config \
	libavcodec-dev libavformat-dev libavutil-dev libswscale-dev ffmpeg
FACEMARK = target/release/facemark
CLIP = media/talker.mp4

.PHONY: demo test lint bench steadiness matrix soak fuzz setup build

demo: build
	$(FACEMARK) annotate $(CLIP) -o demo.mp4 --overwrite
	@echo "The annotated video is $(CURDIR)/demo.mp4"

test: setup
	cargo test --release --workspace

lint:
	cargo fmt --all --check
	cargo clippy --release --workspace --all-targets -- -D warnings

bench: build
	for model in resnet18 full-face nose; do $(FACEMARK) bench $(CLIP) --model $$model || exit; done

steadiness: setup
	cargo run --release --quiet --example steadiness -- $(CLIP)

matrix: setup
	rm -f target/matrix
	FACEMARK_MATRIX=$(CURDIR)/target/matrix cargo test --release -p facemark --test fidelity -- --test-threads 2; \
		code=$$?; printf '| case | runs | what came out |\n|---|---|---|\n'; sort target/matrix; exit $$code

soak: SECONDS = 7200
soak: setup
	FACEMARK_SOAK=$(SECONDS) cargo test --release -p facemark --test fidelity -- soak --nocapture

fuzz: SECONDS = 600
fuzz: setup
	FACEMARK_FUZZ=$(SECONDS) cargo test --release -p facemark --test fidelity -- fuzz --nocapture

build: setup
	cargo build --release

# Installs only what is missing, and asks nobody but apt.
setup:
	@missing=; \
	for package in $(PACKAGES); do \
		dpkg-query -W -f '$${Status}' $$package 2>/dev/null | grep -q 'ok installed' \
			|| missing="$$missing $$package"; \
	done; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if ! command -v apt-get >/dev/null; then \
		echo "There is no apt-get here. Please install what these Debian packages hold, then build with" >&2; \
		echo "'cargo build --release':$$missing" >&2; \
		exit 1; \
	fi; \
	if [ "$$(id -u)" = 0 ]; then sudo=; else sudo=sudo; fi; \
	echo "Installing$$missing"; \
	$$sudo apt-get update && $$sudo apt-get install -y --no-install-recommends $$missing
