# make demo   sets the system up, builds, annotates the clip in media/ and says where the result is
# make test   sets the system up and runs all tests
# make lint   formatting, lints, documentation, package and so on, as CI requires
# make install  copies the program, its manual pages and completions below PREFIX (/usr/local); packagers set DESTDIR
# make deb    the Debian package; in target/debian
# make wheel  the Python package for any Linux with glibc 2.17 or newer; in target/wheels, checked by auditwheel
# make docs   regenerates the facts about models in README.md and models/*.md from the models' files
# make bench  the table in docs/performance.md: p50 / p99 of each stage, first frame, memory (CLIP=media/talker.mp4)
# make steadiness  how steady the landmarks are and how far they lag (CLIP=media/talker.mp4)
# make matrix the table in docs/fidelity.md: every row of tests/fidelity as often as it says there
# make soak   its row on two hours of a paced loop (SECONDS=7200)
# make test-camera   the program on virtual cameras in a virtual machine; needs Debian 12 and its archive
# make test-python   tests the Python package, built for this machine (PYTHON=python3)
# make test-wheel    installs that wheel in a bare Debian 12 and 13 and finds a face; needs root, debootstrap and Debian's archive
# make test-deb      installs the package in a bare Debian 12 and annotates the demo clip; needs root, debootstrap and Debian's archive
# make test-debian13 builds and tests everything on Debian 13; needs the same, and as long as a first build
# make test-cluster  480 videos on three nodes of Slurm, and of Ray, one of which is killed; needs Debian, root and PyPI
# make test-page     the page of live --serve in Chromium; needs Debian 12, about a minute
# make test-window   the window and its keys on a display without a screen; needs Debian or Ubuntu, about a minute
# make fuzz   its rows on fuzzed inputs, each kind for as long as requested (SECONDS=600)

# What Debian 12 and Ubuntu 24.04 call the libraries we build against; ffmpeg makes the tests' videos.
PACKAGES = libopencv-dev clang libclang-dev pkg-config \
	libavcodec-dev libavformat-dev libavutil-dev libswscale-dev ffmpeg
FACEMARK = target/release/facemark
CLIP = media/talker.mp4
PREFIX = /usr/local
# Where zsh finds completions; Debian's packages use another folder.
ZSH = site-functions
# The compiler flags that libFuzzer needs; the stable compiler has them.
COVERAGE = -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
	-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
	-Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing -Ccodegen-units=1
# Any from 3.10 on. Each has an environment of its own, with what the tests of the Python package need.
PYTHON = python3
VENV = target/venv/$(notdir $(PYTHON))
HOST = $(shell rustc -vV | sed -n 's/^host: //p')
FUZZ = target/fuzz/$(HOST)/release/facemark-fuzz

.PHONY: demo test test-camera lint docs bench steadiness matrix soak fuzz setup build test-page test-window test-cluster \
	install deb wheel test-python test-wheel test-deb test-debian13

demo: build
	$(FACEMARK) annotate $(CLIP) -o demo.mp4 --overwrite
	@echo "The annotated video is $(CURDIR)/demo.mp4"

test: setup
	cargo test --release --workspace
	@if $(MAKE) --no-print-directory $(VENV)/ready; then $(MAKE) --no-print-directory test-python; else \
		echo "The Python package is not tested: what its tests need cannot be installed here." >&2; fi

# After `cargo test`, which builds the program that the results are compared with.
test-python: $(VENV)/ready
	PATH="$(CURDIR)/$(VENV)/bin:$$PATH" pip install --quiet --no-build-isolation --force-reinstall --no-deps ./python
	FACEMARK=$(FACEMARK) $(VENV)/bin/python -m pytest --quiet python/tests

$(VENV)/ready: python/tests/requirements.txt
	@$(MAKE) --no-print-directory setup PACKAGES="python3-venv ffmpeg"
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --requirement $<
	touch $@

test-camera: build
	tests/camera/run.sh

test-wheel:
	tests/wheel.sh

test-deb:
	tests/deb.sh

test-debian13:
	tests/debian13.sh

# Ray gets an environment of its own.
test-cluster: build
	@$(MAKE) --no-print-directory setup PACKAGES="python3 python3-venv ffmpeg slurm-wlm munge procps"
	FACEMARK=$(FACEMARK) tests/cluster/on_slurm.py
	test -x target/ray/bin/ray || { python3 -m venv target/ray && target/ray/bin/pip install --quiet "ray==2.60.*"; }
	FACEMARK=$(FACEMARK) target/ray/bin/python -B tests/cluster/on_ray.py

test-page: build
	@$(MAKE) --no-print-directory setup PACKAGES="python3 ffmpeg imagemagick chromium chromium-driver"
	FACEMARK=$(FACEMARK) tests/page/page.py

test-window: build
	@$(MAKE) --no-print-directory setup PACKAGES="python3 ffmpeg imagemagick xvfb openbox xdotool"
	FACEMARK=$(FACEMARK) tests/window/window.py

# The public registry takes packages of up to 10 MiB.
lint:
	cargo fmt --all --check
	cargo clippy --release --workspace --all-targets -- -D warnings
	cargo check --release --manifest-path fuzz/Cargo.toml --target-dir target
	RUSTDOCFLAGS=-Dwarnings cargo doc --release --workspace --no-deps
	tests/one-build.sh
	rm -f target/package/*.crate
	cargo package --package facemark --no-verify --allow-dirty
	test "$$(stat -c %s target/package/facemark-*.crate)" -lt 10485760

$(FACEMARK):
	@echo "There is no $@ yet; run 'make build' first." >&2; exit 1

# Builds nothing: root usually has no Rust.
install: SHARE = $(DESTDIR)$(PREFIX)/share
install: $(FACEMARK)
	install -D $(FACEMARK) $(DESTDIR)$(PREFIX)/bin/facemark
	install -d $(SHARE)/man/man1 $(SHARE)/bash-completion/completions $(SHARE)/fish/vendor_completions.d $(SHARE)/zsh/$(ZSH)
	$(FACEMARK) man >$(SHARE)/man/man1/facemark.1
	for command in $$($(FACEMARK) man | sed -n 's/^facemark\\-\(.*\)(1)$$/\1/p'); do \
		$(FACEMARK) man $$command >$(SHARE)/man/man1/facemark-$$command.1 || exit; \
	done
	$(FACEMARK) completions bash >$(SHARE)/bash-completion/completions/facemark
	$(FACEMARK) completions fish >$(SHARE)/fish/vendor_completions.d/facemark.fish
	$(FACEMARK) completions zsh >$(SHARE)/zsh/$(ZSH)/_facemark

deb:
	@$(MAKE) --no-print-directory setup PACKAGES="$(PACKAGES) dpkg-dev"
	test -x target/tools/bin/cargo-deb || cargo install cargo-deb --locked --root target/tools
	cargo build --release
	rm -rf target/deb
	$(MAKE) install DESTDIR=target/deb PREFIX=/usr ZSH=vendor-completions
	target/tools/bin/cargo-deb --no-build

# Only the link needs the old glibc, so only the package itself gets Zig as its linker: with `maturin --zig` all would be
# built again. The newest wheel is the one that was just built.
wheel:
	@$(MAKE) --no-print-directory setup PACKAGES="python3-venv"
	test -x target/venv/wheel/bin/auditwheel || { $(PYTHON) -m venv target/venv/wheel && \
		target/venv/wheel/bin/pip install --quiet 'maturin>=1.16,<2' ziglang auditwheel; }
	PATH="$(CURDIR)/target/venv/wheel/bin:$$PATH" maturin build --release --compression-level 9 --compatibility manylinux2014 \
		--manifest-path python/Cargo.toml --out target/wheels -- -C linker="$(CURDIR)/python/zig-linker.sh"
	target/venv/wheel/bin/auditwheel show $$(ls -t target/wheels/*.whl | head -1) | tee target/wheels/audit
	grep -q '"manylinux_2_17_' target/wheels/audit

docs: setup
	FACEMARK_DOCS=write cargo test --release --test docs facts_about_models

bench: build
	@echo "| model | decode | detect | crop | infer | confirm | track | draw | frames/s | first frame | memory |"
	@echo "|---|---|---|---|---|---|---|---|---|---|---|"
	@for model in compact large resnet18 full-face nose; do \
		$(FACEMARK) --quiet bench $(CLIP) --model $$model >target/bench || exit; \
		awk -v model=$$model '/frames\/s$$/ { rate = $$(NF - 1) } /^first frame/ { first = $$4 } /^peak memory/ { memory = $$3 } \
			/^(decode|detect|crop|infer|confirm|track|draw) / { stages = stages " | " ($$2 == "-" ? "-" : sprintf("%.2f / %.1f", $$2, $$4)) } \
			END { print "| `" model "`" stages " | " rate " | " first " ms | " memory " MB |" }' target/bench; \
	done

steadiness: setup
	cargo run --release --quiet --example steadiness -- $(CLIP)

matrix: setup
	rm -f target/matrix
	FACEMARK_MATRIX=$(CURDIR)/target/matrix cargo test --release --workspace --test fidelity -- --test-threads 2 \
		--skip fuzz --skip soak; \
		code=$$?; printf '| case | runs | what came out |\n|---|---|---|\n'; sort target/matrix; exit $$code

soak: SECONDS = 7200
soak: setup
	rm -f target/matrix
	FACEMARK_SOAK=$(SECONDS) FACEMARK_MATRIX=$(CURDIR)/target/matrix cargo test --release --workspace \
		--test fidelity -- soak --nocapture; code=$$?; cat target/matrix; exit $$code

fuzz: SECONDS = 600
fuzz: setup
	rm -f target/matrix
	FACEMARK_FUZZ=$(SECONDS) FACEMARK_MATRIX=$(CURDIR)/target/matrix cargo test --release --workspace \
		--test fidelity --bin facemark-train -- fuzz --test-threads 1
	CARGO_PROFILE_RELEASE_DEBUG_ASSERTIONS=true CARGO_PROFILE_RELEASE_OVERFLOW_CHECKS=true \
		RUSTFLAGS="$(COVERAGE)" cargo build --release --manifest-path fuzz/Cargo.toml --target-dir target/fuzz \
		--target $(HOST)
	for parser in pts asf xml wflw csv meta; do \
		mkdir -p target/fuzz/corpus/$$parser; \
		PARSER=$$parser $(FUZZ) target/fuzz/corpus/$$parser fuzz/seeds -max_len=9000 -print_final_stats=1 \
			-max_total_time=$(SECONDS) >target/fuzz/log 2>&1 || { tail -50 target/fuzz/log >&2; exit 1; }; \
		awk -v parser=$$parser '/number_of_executed_units/ \
			{ print "| fuzz: " parser " (libFuzzer) | " $$2 " | passed: 0 crashes |" }' target/fuzz/log; \
	done >>target/matrix
	sort target/matrix

build: setup
	cargo build --release

# Installs only what is missing, and only through apt.
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
