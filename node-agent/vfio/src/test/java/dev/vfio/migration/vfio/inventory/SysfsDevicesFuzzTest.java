package dev.vfio.migration.vfio.inventory;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.api.FuzzedDataProvider;
import com.code_intelligence.jazzer.junit.FuzzTest;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.io.TempDir;

/** Whatever a driver writes to sysfs, the device is listed. */
class SysfsDevicesFuzzTest {
  private static final String ADDRESS = "0000:65:00.1";

  @TempDir static Path folder;

  @FuzzTest(maxDuration = "1h")
  void aDeviceIsListedWhateverItsAttributesSay(FuzzedDataProvider data) throws IOException {
    Path device = folder.resolve("bus/pci/devices").resolve(ADDRESS);
    Files.createDirectories(device.resolve("vfio-dev"));
    for (String attribute :
        List.of("vendor", "device", "subsystem_vendor", "subsystem_device", "numa_node")) {
      Files.write(device.resolve(attribute), data.consumeBytes(data.consumeInt(0, 40)));
    }
    Files.write(device.resolve("migration_version"), data.consumeRemainingAsBytes());
    SysfsDevices devices = new SysfsDevices(folder, folder.resolve("dev"));
    assertThat(devices.list()).extracting(NodeDevice::id).containsExactly(ADDRESS);
  }
}
