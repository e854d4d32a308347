package dev.vfio.migration.vfio.region;

import dev.vfio.migration.vfio.device.DeviceState;
import dev.vfio.migration.vfio.layout.ExpectedConstants;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Every offset, size and constant is what a C compiler makes of the interface's own text. */
class MigrationRegionLayoutTest {

  /** As the 2018 text has it. */
  private static final String TEXT_OF_2018 =
      """
      #include <linux/types.h>
      #define VFIO_REGION_TYPE_MIGRATION             (1 << 30)
      #define VFIO_REGION_SUBTYPE_MIGRATION          (1)
      enum {
          VFIO_DEVICE_STATE_NONE,
          VFIO_DEVICE_STATE_RUNNING,
          VFIO_DEVICE_STATE_MIGRATION_SETUP,
          VFIO_DEVICE_STATE_MIGRATION_PRECOPY,
          VFIO_DEVICE_STATE_MIGRATION_STOPNCOPY,
          VFIO_DEVICE_STATE_MIGRATION_SAVE_COMPLETED,
          VFIO_DEVICE_STATE_MIGRATION_RESUME,
          VFIO_DEVICE_STATE_MIGRATION_RESUME_COMPLETED,
          VFIO_DEVICE_STATE_MIGRATION_FAILED,
          VFIO_DEVICE_STATE_MIGRATION_CANCELLED,
      };
      struct vfio_device_migration_info {
              __u32 device_state;         /* VFIO device state */
              struct {
                  __u64 precopy_only;
                  __u64 compatible;
                  __u64 postcopy_only;
                  __u64 threshold_size;
              } pending;
              struct {
                  __u64 offset;           /* offset */
                  __u64 size;             /* size */
              } data;
              struct {
                  __u64 start_addr;
                  __u64 total;
                  __u64 copied;
              } dirty_pfns;
      } __attribute__((packed));
      #define AT(field) offsetof(struct vfio_device_migration_info, field)
      #define WIDTH(field) sizeof(((struct vfio_device_migration_info *)0)->field)
      """;

  @Test
  void theStructureOf2018(@TempDir Path folder) throws IOException, InterruptedException {
    ExpectedConstants expected = new ExpectedConstants();
    expected.add("AT(device_state)", MigrationRegionLayout.DEVICE_STATE);
    expected.add("AT(pending.precopy_only)", MigrationRegionLayout.PENDING_PRECOPY_ONLY);
    expected.add("AT(pending.compatible)", MigrationRegionLayout.PENDING_COMPATIBLE);
    expected.add("AT(pending.postcopy_only)", MigrationRegionLayout.PENDING_POSTCOPY_ONLY);
    expected.add("AT(pending.threshold_size)", MigrationRegionLayout.PENDING_THRESHOLD_SIZE);
    expected.add("AT(data.offset)", MigrationRegionLayout.DATA_OFFSET);
    expected.add("AT(data.size)", MigrationRegionLayout.DATA_SIZE);
    expected.add("AT(dirty_pfns.start_addr)", MigrationRegionLayout.DIRTY_PFNS_START_ADDR);
    expected.add("AT(dirty_pfns.total)", MigrationRegionLayout.DIRTY_PFNS_TOTAL);
    expected.add("AT(dirty_pfns.copied)", MigrationRegionLayout.DIRTY_PFNS_COPIED);
    expected.add("sizeof(struct vfio_device_migration_info)", MigrationRegionLayout.SIZE);
    expected.add("WIDTH(device_state)", Integer.BYTES);
    for (String field :
        new String[] {
          "pending.precopy_only",
          "pending.compatible",
          "pending.postcopy_only",
          "pending.threshold_size",
          "data.offset",
          "data.size",
          "dirty_pfns.start_addr",
          "dirty_pfns.total",
          "dirty_pfns.copied"
        }) {
      expected.add("WIDTH(" + field + ")", Long.BYTES);
    }
    expected.add("VFIO_REGION_TYPE_MIGRATION", MigrationRegionLayout.REGION_TYPE);
    expected.add("VFIO_REGION_SUBTYPE_MIGRATION", MigrationRegionLayout.REGION_SUBTYPE);
    for (DeviceState state : DeviceState.values()) {
      boolean ofEveryDevice = state == DeviceState.NONE || state == DeviceState.RUNNING;
      expected.add(
          "VFIO_DEVICE_STATE_" + (ofEveryDevice ? "" : "MIGRATION_") + state.name(),
          state.wireValue());
    }
    expected.hold(folder, TEXT_OF_2018);
  }
}
