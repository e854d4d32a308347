/**
 * The Kubernetes API of this operator: {@code DeviceMigration} and {@code VfioNode} in {@code
 * migration.vfio.dev/v1alpha1}, exactly as users write and read them. Types here carry no behaviour
 * beyond reading and writing themselves; the CRDs in {@code crds/} are generated from them.
 */
package dev.vfio.migration.operator.api;
