//! What computes.

use anyhow::anyhow;
use clap::ValueEnum;

/// What computes; each needs the cargo feature of its name.
#[derive(Clone, Copy, Default, ValueEnum)]
pub enum Device {
    /// Pure Rust on the CPU.
    #[cfg_attr(any(feature = "flex", not(feature = "tch")), default)]
    Flex,
    /// libtorch on the CPU.
    #[cfg_attr(all(feature = "tch", not(feature = "flex")), default)]
    Tch,
    /// The first NVIDIA GPU.
    Cuda,
}

/// Calls a function with a device's backend as its type and the device as its last argument.
macro_rules! on_device {
    ($device:expr, $module:ident::$function:ident($($argument:expr),* $(,)?)) => {
        match $device {
            #[cfg(feature = "flex")]
            Device::Flex => $module::$function::<burn::backend::Autodiff<burn_flex::Flex>>($($argument,)* &Default::default()),
            #[cfg(feature = "tch")]
            Device::Tch => {
                $module::$function::<burn::backend::Autodiff<burn_tch::LibTorch>>($($argument,)* &burn_tch::LibTorchDevice::Cpu)
            }
            #[cfg(feature = "cuda")]
            Device::Cuda => $module::$function::<burn::backend::Autodiff<burn_cuda::Cuda>>($($argument,)* &Default::default()),
            #[allow(unreachable_patterns, reason = "with all features every device is there")]
            device => Err(device.missing()),
        }
    };
}

impl Device {
    #[allow(dead_code, reason = "with all features every device is there")]
    /// The error that says how to build with this device.
    pub fn missing(self) -> anyhow::Error {
        let name = self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
        anyhow!("this build lacks the device {name}; build with --features {name}")
    }
}
