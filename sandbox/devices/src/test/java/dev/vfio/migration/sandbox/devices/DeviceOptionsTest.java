package dev.vfio.migration.sandbox.devices;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class DeviceOptionsTest {
  private static final List<String> REQUIRED =
      List.of(
          "--name", "gpu-0",
          "--node", "node-a",
          "--directory", "/tmp/x",
          "--memory-directory", "/tmp/y",
          "--log", "/tmp/z",
          "--role", "running");

  @Test
  void defaults() {
    DeviceOptions options = parse();
    assertThat(options.settings().geometry().stateSize()).isEqualTo(64 << 20);
    assertThat(options.settings().geometry().pageSize()).isEqualTo(4096);
    assertThat(options.settings().areaSize()).isEqualTo(1 << 20);
    assertThat(options.settings().devicePace()).isEqualTo(options.settings().initialPace());
    assertThat(options.settings().devicePace()).isEqualTo(2147484);
    assertThat(options.settings().windowPace()).isEqualTo(1073742);
    assertThat(options.memorySize()).isEqualTo(16 << 20);
    assertThat(options.interval()).isEqualTo(1_000_000);
    assertThat(options.mappable()).isTrue();
    assertThat(options.running()).isTrue();
    assertThat(options.faults()).isEmpty();
  }

  @Test
  void theLargestStateAndSeveralFaults() {
    DeviceOptions options =
        parse("--state-size", "8GiB", "--fault", "never-dry", "--fault", "stall=SETUP:5");
    assertThat(options.settings().geometry().pages()).isEqualTo(1 << 21);
    assertThat(options.faults()).hasSize(2);
  }

  @ParameterizedTest
  @CsvSource({
    "--state-size,9GiB,state size",
    "--state-size,1000,state size",
    "--state-size,1025,multiple of 8",
    "--state-size,64MB,a size is",
    "--state-size,99999999999GiB,too large",
    "--state-size,99999999999999999GiB,too large",
    "--page-size,5000,power of two",
    "--page-size,8GiB,--page-size",
    "--chunk-size,4KiB,--chunk-size",
    "--memory-size,5000,--memory-size",
    "--dirty-rate,-1,a rate is",
    "--step-interval,1h,a duration is",
    "--step-interval,1ns,--step-interval",
    "--seed,x,--seed",
    "--mmap,maybe,--mmap",
    "--model,nvidia,a model is",
    "--bitmap-pages,65,--bitmap-pages",
    "--fault,boom,no fault is called",
    "--colour,red,there is no option",
    "--name,gpu-0,given twice",
    "--seed,,--seed"
  })
  void whatIsWrongIsSaid(String option, String value, String reason) {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> parse(option, value == null ? "" : value))
        .withMessageContaining(reason);
  }

  @Test
  void whatIsMissingIsSaid() {
    assertThatIllegalArgumentException()
        .isThrownBy(DeviceOptions::parse)
        .withMessage("--name is missing");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> parse("--seed"))
        .withMessage("--seed needs a value");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> DeviceOptions.parse("--name", "GPU_0"))
        .withMessageContaining("lower-case");
  }

  private static DeviceOptions parse(String... more) {
    List<String> arguments = new ArrayList<>(REQUIRED);
    arguments.addAll(List.of(more));
    return DeviceOptions.parse(arguments.toArray(String[]::new));
  }
}
