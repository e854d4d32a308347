package dev.vfio.migration.vfio.region;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.vfio.layout.CompiledConstants;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
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
    Map<String, Long> expected = new LinkedHashMap<>();
    expected.put("VFIO_REGION_TYPE_MIGRATION", (long) RegionV1Layout.REGION_TYPE);
    expected.put("VFIO_REGION_SUBTYPE_MIGRATION", (long) RegionV1Layout.REGION_SUBTYPE);
    expected.put("AT(device_state)", (long) RegionV1Layout.DEVICE_STATE);
    expected.put("AT(pending_bytes)", (long) RegionV1Layout.PENDING_BYTES);
    expected.put("AT(data_offset)", (long) RegionV1Layout.DATA_OFFSET);
    expected.put("AT(data_size)", (long) RegionV1Layout.DATA_SIZE);
    expected.put("sizeof(struct vfio_device_migration_info)", (long) RegionV1Layout.SIZE);
    expected.put("VFIO_DEVICE_STATE_RUNNING", (long) RegionV1Layout.STATE_RUNNING);
    expected.put("VFIO_DEVICE_STATE_SAVING", (long) RegionV1Layout.STATE_SAVING);
    expected.put("VFIO_DEVICE_STATE_RESUMING", (long) RegionV1Layout.STATE_RESUMING);
    expected.put("VFIO_DEVICE_STATE_MASK", (long) RegionV1Layout.STATE_MASK);
    Map<String, String> expressions = new LinkedHashMap<>();
    expected.keySet().forEach(expression -> expressions.put(expression, expression));
    assertThat(CompiledConstants.evaluate(folder, HEADER_OF_5_8, expressions)).isEqualTo(expected);
  }
}
