/** Folders of compute-packages/examples whose package a builder makes; both train on the data files of examples/mnist. */
export const EXAMPLE_NAMES = ["mnist", "mnist-cnn"] as const;
export type ExampleName = (typeof EXAMPLE_NAMES)[number];
