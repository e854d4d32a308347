package dev.vfio.migration.vfio.device;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

/** A message contains the very commands that reset the device at hand. */
class ResetAdviceTest {

  @Test
  void eachKindOfDeviceIsResetInItsOwnWay() {
    assertThat(ResetAdvice.of("0000:65:00.1"))
        .isEqualTo("echo 1 > /sys/bus/pci/devices/0000:65:00.1/reset");
    assertThat(ResetAdvice.of("10000:e1:1f.7")).contains("/sys/bus/pci/devices/10000:e1:1f.7/");
    String uuid = "83b8f4f2-509f-382f-3c1e-e6bfe0fa1001";
    assertThat(ResetAdvice.of(uuid))
        .contains("echo 1 > /sys/bus/mdev/devices/" + uuid + "/remove")
        .contains("echo " + uuid + " > ")
        .contains("/create");
    assertThat(ResetAdvice.of("vfio-user:gpu-0")).contains("restart its server");
  }
}
