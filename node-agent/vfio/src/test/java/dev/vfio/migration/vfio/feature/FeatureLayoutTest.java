package dev.vfio.migration.vfio.feature;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.vfio.device.MigrationFlag;
import dev.vfio.migration.vfio.layout.CompiledConstants;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Every feature, offset and number is what a C compiler makes of this machine's {@code
 * linux/vfio.h}. What an older header lacks is compared with the declaration of Linux 6.12.
 */
class FeatureLayoutTest {
  private static final String HEADER =
      """
      #include <linux/types.h>
      #include <linux/vfio.h>
      #ifndef VFIO_DEVICE_FEATURE_MIG_DATA_SIZE
      struct vfio_device_feature_mig_data_size { __aligned_u64 stop_copy_length; };
      #define VFIO_DEVICE_FEATURE_MIG_DATA_SIZE 9
      #endif
      #ifndef VFIO_MIGRATION_PRE_COPY
      #define VFIO_MIGRATION_PRE_COPY (1 << 2)
      #define VFIO_DEVICE_STATE_PRE_COPY 6
      #define VFIO_DEVICE_STATE_PRE_COPY_P2P 7
      #endif
      #define STATE(field) offsetof(struct vfio_device_feature_mig_state, field)
      #define CONTROL(field) offsetof(struct vfio_device_feature_dma_logging_control, field)
      #define RANGE(field) offsetof(struct vfio_device_feature_dma_logging_range, field)
      #define REPORT(field) offsetof(struct vfio_device_feature_dma_logging_report, field)
      """;

  @Test
  void theFeaturesAndTheirPayloads(@TempDir Path folder) throws IOException, InterruptedException {
    Map<String, Long> expected = new LinkedHashMap<>();
    expected.put("VFIO_DEVICE_FEATURE_MIGRATION", (long) FeatureLayout.MIGRATION);
    expected.put("VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE", (long) FeatureLayout.MIG_DEVICE_STATE);
    expected.put("VFIO_DEVICE_FEATURE_DMA_LOGGING_START", (long) FeatureLayout.DMA_LOGGING_START);
    expected.put("VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP", (long) FeatureLayout.DMA_LOGGING_STOP);
    expected.put("VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT", (long) FeatureLayout.DMA_LOGGING_REPORT);
    expected.put("VFIO_DEVICE_FEATURE_MIG_DATA_SIZE", (long) FeatureLayout.MIG_DATA_SIZE);
    expected.put(
        "sizeof(struct vfio_device_feature_migration)", (long) FeatureLayout.MIGRATION_SIZE);
    expected.put("STATE(device_state)", (long) FeatureLayout.STATE_DEVICE_STATE);
    expected.put("STATE(data_fd)", (long) FeatureLayout.STATE_DATA_FD);
    expected.put("sizeof(struct vfio_device_feature_mig_state)", (long) FeatureLayout.STATE_SIZE);
    expected.put("CONTROL(page_size)", (long) FeatureLayout.CONTROL_PAGE_SIZE);
    expected.put("CONTROL(num_ranges)", (long) FeatureLayout.CONTROL_NUM_RANGES);
    expected.put("CONTROL(ranges)", (long) FeatureLayout.CONTROL_RANGES);
    expected.put(
        "sizeof(struct vfio_device_feature_dma_logging_control)",
        (long) FeatureLayout.CONTROL_SIZE);
    expected.put("RANGE(iova)", (long) FeatureLayout.RANGE_IOVA);
    expected.put("RANGE(length)", (long) FeatureLayout.RANGE_LENGTH);
    expected.put(
        "sizeof(struct vfio_device_feature_dma_logging_range)", (long) FeatureLayout.RANGE_SIZE);
    expected.put("REPORT(iova)", (long) FeatureLayout.REPORT_IOVA);
    expected.put("REPORT(length)", (long) FeatureLayout.REPORT_LENGTH);
    expected.put("REPORT(page_size)", (long) FeatureLayout.REPORT_PAGE_SIZE);
    expected.put("REPORT(bitmap)", (long) FeatureLayout.REPORT_BITMAP);
    expected.put(
        "sizeof(struct vfio_device_feature_dma_logging_report)", (long) FeatureLayout.REPORT_SIZE);
    expected.put(
        "offsetof(struct vfio_device_feature_mig_data_size, stop_copy_length)",
        (long) FeatureLayout.DATA_SIZE_STOP_COPY_LENGTH);
    expected.put(
        "sizeof(struct vfio_device_feature_mig_data_size)", (long) FeatureLayout.DATA_SIZE_SIZE);
    for (MigrationFlag flag : MigrationFlag.values()) {
      expected.put("VFIO_MIGRATION_" + flag, flag.bit());
    }
    for (FeatureState state : FeatureState.values()) {
      expected.put("VFIO_DEVICE_STATE_" + state, (long) state.number());
    }
    Map<String, String> expressions = new LinkedHashMap<>();
    expected.keySet().forEach(expression -> expressions.put(expression, expression));
    assertThat(CompiledConstants.evaluate(folder, HEADER, expressions)).isEqualTo(expected);
  }
}
