package dev.vfio.migration.vfio.feature;

import dev.vfio.migration.vfio.device.MigrationFlag;
import dev.vfio.migration.vfio.layout.KernelHeaders;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Every feature, offset and number is what a C compiler makes of the kernel's own header. */
class PayloadLayoutTest {
  private static final String DATA_SIZE = "VFIO_DEVICE_FEATURE_MIG_DATA_SIZE";

  @TempDir Path folder;

  private final KernelHeaders headers = new KernelHeaders();

  PayloadLayoutTest() {
    expect("VFIO_DEVICE_FEATURE_MIGRATION", PayloadLayout.MIGRATION);
    expect("VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE", PayloadLayout.MIG_DEVICE_STATE);
    expect("VFIO_DEVICE_FEATURE_DMA_LOGGING_START", PayloadLayout.DMA_LOGGING_START);
    expect("VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP", PayloadLayout.DMA_LOGGING_STOP);
    expect("VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT", PayloadLayout.DMA_LOGGING_REPORT);
    expect("VFIO_DEVICE_FEATURE_MIG_DATA_SIZE", PayloadLayout.MIG_DATA_SIZE);
    expect("sizeof(struct vfio_device_feature_migration)", PayloadLayout.MIGRATION_SIZE);
    expect(
        "offsetof(struct vfio_device_feature_mig_state, device_state)",
        PayloadLayout.STATE_DEVICE_STATE);
    expect("offsetof(struct vfio_device_feature_mig_state, data_fd)", PayloadLayout.STATE_DATA_FD);
    expect("sizeof(struct vfio_device_feature_mig_state)", PayloadLayout.STATE_SIZE);
    expect(
        "offsetof(struct vfio_device_feature_dma_logging_control, page_size)",
        PayloadLayout.CONTROL_PAGE_SIZE);
    expect(
        "offsetof(struct vfio_device_feature_dma_logging_control, num_ranges)",
        PayloadLayout.CONTROL_NUM_RANGES);
    expect(
        "offsetof(struct vfio_device_feature_dma_logging_control, ranges)",
        PayloadLayout.CONTROL_RANGES);
    expect("sizeof(struct vfio_device_feature_dma_logging_control)", PayloadLayout.CONTROL_SIZE);
    expect(
        "offsetof(struct vfio_device_feature_dma_logging_range, iova)", PayloadLayout.RANGE_IOVA);
    expect(
        "offsetof(struct vfio_device_feature_dma_logging_range, length)",
        PayloadLayout.RANGE_LENGTH);
    expect("sizeof(struct vfio_device_feature_dma_logging_range)", PayloadLayout.RANGE_SIZE);
    expect(
        "offsetof(struct vfio_device_feature_dma_logging_report, iova)", PayloadLayout.REPORT_IOVA);
    expect(
        "offsetof(struct vfio_device_feature_dma_logging_report, length)",
        PayloadLayout.REPORT_LENGTH);
    expect(
        "offsetof(struct vfio_device_feature_dma_logging_report, page_size)",
        PayloadLayout.REPORT_PAGE_SIZE);
    expect(
        "offsetof(struct vfio_device_feature_dma_logging_report, bitmap)",
        PayloadLayout.REPORT_BITMAP);
    expect("sizeof(struct vfio_device_feature_dma_logging_report)", PayloadLayout.REPORT_SIZE);
    expect(
        "offsetof(struct vfio_device_feature_mig_data_size, stop_copy_length)",
        PayloadLayout.DATA_SIZE_STOP_COPY_LENGTH);
    expect("sizeof(struct vfio_device_feature_mig_data_size)", PayloadLayout.DATA_SIZE_SIZE);
    for (MigrationFlag flag : MigrationFlag.values()) {
      expect("VFIO_MIGRATION_" + flag, flag.bit());
    }
    for (FeatureState state : FeatureState.values()) {
      expect("VFIO_DEVICE_STATE_" + state, state.number());
    }
  }

  /** An older header lacks PRE_COPY and the data size. */
  private void expect(String expression, long value) {
    if (expression.contains("PRE_COPY")) {
      headers.expect(expression, value, "VFIO_MIGRATION_PRE_COPY");
    } else if (expression.contains("mig_data_size") || expression.equals(DATA_SIZE)) {
      headers.expect(expression, value, DATA_SIZE);
    } else {
      headers.expect(expression, value);
    }
  }

  @Test
  void whatTheInstalledHeaderHasIsAsItHasIt() throws IOException, InterruptedException {
    headers.holdInstalled(folder);
  }

  @Test
  void allOfItIsAsANewerKernelHasIt() throws IOException, InterruptedException {
    headers.holdNewest(folder);
  }
}
