package dev.vfio.migration.vfio.feature;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.vfio.migration.vfio.device.MigrationFlag;
import dev.vfio.migration.vfio.layout.CompiledConstants;
import dev.vfio.migration.vfio.layout.KernelHeaders;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Every feature, offset and number is what a C compiler makes of the kernel's own header: that of
 * the C library, and that of a newer kernel where the system property {@code vfio.kernel-headers}
 * names its {@code include/uapi}.
 */
class PayloadLayoutTest {
  private static final String HEADER =
      """
      /* A mark for the kernel's own checker, which installed headers are rid of. */
      #define __user
      #include <linux/vfio.h>
      #define STATE(field) offsetof(struct vfio_device_feature_mig_state, field)
      #define CONTROL(field) offsetof(struct vfio_device_feature_dma_logging_control, field)
      #define RANGE(field) offsetof(struct vfio_device_feature_dma_logging_range, field)
      #define REPORT(field) offsetof(struct vfio_device_feature_dma_logging_report, field)
      """;

  private static final String PRE_COPY = "VFIO_MIGRATION_PRE_COPY";
  private static final String DATA_SIZE = "VFIO_DEVICE_FEATURE_MIG_DATA_SIZE";

  @TempDir Path folder;

  private static Map<String, Long> expected() {
    Map<String, Long> expected = new LinkedHashMap<>();
    expected.put("VFIO_DEVICE_FEATURE_MIGRATION", (long) PayloadLayout.MIGRATION);
    expected.put("VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE", (long) PayloadLayout.MIG_DEVICE_STATE);
    expected.put("VFIO_DEVICE_FEATURE_DMA_LOGGING_START", (long) PayloadLayout.DMA_LOGGING_START);
    expected.put("VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP", (long) PayloadLayout.DMA_LOGGING_STOP);
    expected.put("VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT", (long) PayloadLayout.DMA_LOGGING_REPORT);
    expected.put("VFIO_DEVICE_FEATURE_MIG_DATA_SIZE", (long) PayloadLayout.MIG_DATA_SIZE);
    expected.put(
        "sizeof(struct vfio_device_feature_migration)", (long) PayloadLayout.MIGRATION_SIZE);
    expected.put("STATE(device_state)", (long) PayloadLayout.STATE_DEVICE_STATE);
    expected.put("STATE(data_fd)", (long) PayloadLayout.STATE_DATA_FD);
    expected.put("sizeof(struct vfio_device_feature_mig_state)", (long) PayloadLayout.STATE_SIZE);
    expected.put("CONTROL(page_size)", (long) PayloadLayout.CONTROL_PAGE_SIZE);
    expected.put("CONTROL(num_ranges)", (long) PayloadLayout.CONTROL_NUM_RANGES);
    expected.put("CONTROL(ranges)", (long) PayloadLayout.CONTROL_RANGES);
    expected.put(
        "sizeof(struct vfio_device_feature_dma_logging_control)",
        (long) PayloadLayout.CONTROL_SIZE);
    expected.put("RANGE(iova)", (long) PayloadLayout.RANGE_IOVA);
    expected.put("RANGE(length)", (long) PayloadLayout.RANGE_LENGTH);
    expected.put(
        "sizeof(struct vfio_device_feature_dma_logging_range)", (long) PayloadLayout.RANGE_SIZE);
    expected.put("REPORT(iova)", (long) PayloadLayout.REPORT_IOVA);
    expected.put("REPORT(length)", (long) PayloadLayout.REPORT_LENGTH);
    expected.put("REPORT(page_size)", (long) PayloadLayout.REPORT_PAGE_SIZE);
    expected.put("REPORT(bitmap)", (long) PayloadLayout.REPORT_BITMAP);
    expected.put(
        "sizeof(struct vfio_device_feature_dma_logging_report)", (long) PayloadLayout.REPORT_SIZE);
    expected.put(
        "offsetof(struct vfio_device_feature_mig_data_size, stop_copy_length)",
        (long) PayloadLayout.DATA_SIZE_STOP_COPY_LENGTH);
    expected.put(
        "sizeof(struct vfio_device_feature_mig_data_size)", (long) PayloadLayout.DATA_SIZE_SIZE);
    for (MigrationFlag flag : MigrationFlag.values()) {
      expected.put("VFIO_MIGRATION_" + flag, flag.bit());
    }
    for (FeatureState state : FeatureState.values()) {
      expected.put("VFIO_DEVICE_STATE_" + state, (long) state.number());
    }
    return expected;
  }

  /** What an older header has not, by the macro that tells so. */
  private static Map<String, String> needs() {
    Map<String, String> needs = new HashMap<>();
    for (String expression : expected().keySet()) {
      if (expression.contains("PRE_COPY")) {
        needs.put(expression, PRE_COPY);
      } else if (expression.contains("mig_data_size") || expression.equals(DATA_SIZE)) {
        needs.put(expression, DATA_SIZE);
      }
    }
    return needs;
  }

  private Map<String, Long> compiled(List<Path> includes) throws IOException, InterruptedException {
    Map<String, String> expressions = new LinkedHashMap<>();
    expected().keySet().forEach(expression -> expressions.put(expression, expression));
    return CompiledConstants.evaluate(folder, includes, HEADER, expressions, needs());
  }

  @Test
  void whatTheInstalledHeaderHasIsAsItHasIt() throws IOException, InterruptedException {
    Map<String, Long> compiled = compiled(List.of());
    assertThat(compiled).isNotEmpty();
    assertThat(expected()).containsAllEntriesOf(compiled);
  }

  @Test
  void allOfItIsAsANewerKernelHasIt() throws IOException, InterruptedException {
    Set<String> missing = new TreeSet<>(expected().keySet());
    missing.removeAll(compiled(List.of()).keySet());
    String newer = System.getProperty("vfio.kernel-headers");
    if (newer != null) {
      Path copy = Files.createDirectories(folder.resolve("newer"));
      Path header = Files.createDirectories(copy.resolve("linux")).resolve("vfio.h");
      Files.copy(Path.of(newer, "linux", "vfio.h"), header);
      Map<String, Long> compiled = compiled(List.of(copy));
      assertThat(expected()).containsAllEntriesOf(compiled);
      missing.removeAll(compiled.keySet());
    }
    assumeTrue(missing.isEmpty(), () -> KernelHeaders.unknownHere(missing));
  }
}
