package dev.vfio.migration.vfio.region;

import dev.vfio.migration.vfio.layout.ExpectedConstants;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Offsets and bits of the v1 region are what a C compiler makes of the header of Linux 5.8. */
class RegionV1LayoutTest {

  /** Later headers have not got it any more. */
  private static final String HEADER_OF_5_8 =
      """
      #include <linux/types.h>
      #define VFIO_REGION_TYPE_MIGRATION              (3)
      #define VFIO_REGION_SUBTYPE_MIGRATION           (1)
      struct vfio_device_migration_info {
              __u32 device_state;
      #define VFIO_DEVICE_STATE_RUNNING   (1 << 0)
      #define VFIO_DEVICE_STATE_SAVING    (1 << 1)
      #define VFIO_DEVICE_STATE_RESUMING  (1 << 2)
      #define VFIO_DEVICE_STATE_MASK      (VFIO_DEVICE_STATE_RUNNING | \\
                                           VFIO_DEVICE_STATE_SAVING |  \\
                                           VFIO_DEVICE_STATE_RESUMING)
              __u32 reserved;
              __u64 pending_bytes;
              __u64 data_offset;
              __u64 data_size;
      };
      #define AT(field) offsetof(struct vfio_device_migration_info, field)
      """;

  @Test
  void theStructureOfTheV1Region(@TempDir Path folder) throws IOException, InterruptedException {
    ExpectedConstants expected = new ExpectedConstants();
    expected.add("VFIO_REGION_TYPE_MIGRATION", RegionV1Layout.REGION_TYPE);
    expected.add("VFIO_REGION_SUBTYPE_MIGRATION", RegionV1Layout.REGION_SUBTYPE);
    expected.add("AT(device_state)", RegionV1Layout.DEVICE_STATE);
    expected.add("AT(pending_bytes)", RegionV1Layout.PENDING_BYTES);
    expected.add("AT(data_offset)", RegionV1Layout.DATA_OFFSET);
    expected.add("AT(data_size)", RegionV1Layout.DATA_SIZE);
    expected.add("sizeof(struct vfio_device_migration_info)", RegionV1Layout.SIZE);
    expected.add("VFIO_DEVICE_STATE_RUNNING", RegionV1Layout.STATE_RUNNING);
    expected.add("VFIO_DEVICE_STATE_SAVING", RegionV1Layout.STATE_SAVING);
    expected.add("VFIO_DEVICE_STATE_RESUMING", RegionV1Layout.STATE_RESUMING);
    expected.add("VFIO_DEVICE_STATE_MASK", RegionV1Layout.STATE_MASK);
    expected.hold(folder, HEADER_OF_5_8);
  }
}
