package dev.vfio.migration.vfio.feature;

import static dev.vfio.migration.vfio.device.DeviceSteps.ID;
import static dev.vfio.migration.vfio.device.DeviceSteps.lead;
import static dev.vfio.migration.vfio.device.DeviceSteps.write;

import dev.vfio.migration.vfio.device.DeviceException;
import dev.vfio.migration.vfio.device.DeviceState;
import dev.vfio.migration.vfio.device.DriverProfile;
import dev.vfio.migration.vfio.device.MigrationEnd;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Set;

/** What the tests of the v2 interface do with devices. */
final class DeviceUnderTest {
  static final DriverProfile DRIVER = new DriverProfile("mtty", "mtty-1", Set.of(), "");
  static final byte[] STATE = "what the device knows".getBytes(StandardCharsets.US_ASCII);
  static final int PAGE = 4096;

  private DeviceUnderTest() {}

  /** A device that its workload holds. */
  static FeatureV2 source(DriverModel model) throws DeviceException {
    return FeatureV2.open(ID, model, DRIVER, PAGE, MigrationEnd.SOURCE, true);
  }

  /** A device that nobody held before. */
  static FeatureV2 destination(DriverModel model) throws DeviceException {
    return FeatureV2.open(ID, model, DRIVER, PAGE, MigrationEnd.DESTINATION, false);
  }

  static byte[] streamOf(byte[] content) {
    return ByteBuffer.allocate(4 + content.length).putInt(content.length).put(content).array();
  }

  /** A device of that driver that took {@link #STATE} in and does not run yet. */
  static FeatureV2 loaded(DriverModel model) throws DeviceException {
    FeatureV2 device = destination(model);
    lead(device, DeviceState.RESUME);
    write(device, streamOf(STATE));
    lead(device, DeviceState.RESUME_COMPLETED);
    return device;
  }
}
